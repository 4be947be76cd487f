"""What a page shows of one run, whichever verb made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from armillary.experiments.command.config import flatten
from armillary.experiments.pages.page_blocks import Block, Code, Fold, Table
from armillary.experiments.pages.report_films import FilmRequest
from armillary.experiments.pages.report_runs import Run

_LONGEST = 80
_MADE_WITH = ("config", "commit", "versions")
"""Results that are shown with the run itself."""


@dataclass(frozen=True)
class Content:
    """Of a run.

    Attributes:
        about: one line that says what was measured on what.
        highlights: a few figures, each with what it is.
        blocks: tables and charts.
        films: shown below them.
        gallery: whether the films stand side by side.
        folded: what is shown on request.
    """

    about: str = ""
    highlights: Sequence[tuple[str, str]] = ()
    blocks: Sequence[Block] = ()
    films: Sequence[FilmRequest] = ()
    gallery: bool = False
    folded: Sequence[Block] = ()


def plain_content(run: Run) -> Content:
    """The numbers and words in the results of a verb that has no tables of its own."""
    if run.results is None:
        return Content()
    leaves = flatten({k: v.value for k, v in run.results.table().items() if k not in _MADE_WITH})
    rows = [(key, _shown(value)) for key, value in leaves.items()]
    return Content(blocks=[Table("Results", rows)] if rows else [])


def facts(run: Run) -> list[Block]:
    """How a run was made: command, commit, seed, times, versions and configuration."""
    rows = [
        ("verb", run.verb),
        ("directory", str(run.directory)),
        ("status", run.status),
        ("started", run.started),
        ("took", "not ended" if run.seconds is None else duration(run.seconds)),
        ("seed", run.seed or "none"),
        ("commit", run.commit),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions)),
    ]
    config = run.config or "config.yaml is missing"
    return [Code(run.command), Table("", rows), Fold("The resolved configuration", [Code(config)])]


def duration(seconds: float) -> str:
    """Such as ``5 min 3 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
