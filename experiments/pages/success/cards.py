"""What a page shows of the cards of checkpoints: what was measured of them before."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from armillary.errors import ArmillaryError
from armillary.experiments.evaluation.card import Card, cards_of
from armillary.experiments.evaluation.success import Benchmark
from armillary.experiments.pages.html import part
from armillary.experiments.pages.runs import Run

TITLE = "Measured before, by the checkpoint's card"
_SHORT = 12


def told(run: Run) -> list[tuple[str, str]]:
    """A section for the checkpoints of a run that have cards, else nothing."""
    rows: list[tuple[str, str]] = []
    for name in _checkpoints(run):
        try:
            rows += [_row(name, card) for card in cards_of(name)]
        except ArmillaryError:  # no checkpoint any more, or none with a card that fits it
            continue
    return [(TITLE, Markup(part("facts", "", rows)))] if rows else []


def _checkpoints(run: Run) -> Sequence[str]:
    if run.verb == "train":
        return [str(run.directory)]
    rows = run.results.rows if isinstance(run.results, Benchmark) else []
    named = [run.settings.get("checkpoint"), *(row.simulator for row in rows)]
    return list(dict.fromkeys(str(name) for name in named if name))


def _row(name: str, card: Card) -> tuple[str, str]:
    row = card.row
    low, high = (100 * (edge or 0.0) for edge in row.ci95)
    told = (
        f"{row.successes} of {row.episodes} ({low:.0f} to {high:.0f} %) in {row.task} with "
        f"{row.planner}, seeds from {row.seed}, at commit {card.commit[:_SHORT]}"
    )
    return name, told
