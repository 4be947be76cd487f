"""Composes the page of a report: what was run, comparisons, and then every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from armillary.experiments.command.errors import UsageError
from armillary.experiments.pages.charts import key_of, look_of
from armillary.experiments.pages.measures import Look
from armillary.experiments.pages.page_blocks import (
    Block,
    Fold,
    Gallery,
    Header,
    Section,
    Text,
    document,
)
from armillary.experiments.pages.report_comparison import compared, leaders
from armillary.experiments.pages.report_content import Content, facts, plain_content
from armillary.experiments.pages.report_evaluation import evaluation_content
from armillary.experiments.pages.report_evaluations import Evaluation, read_evaluation
from armillary.experiments.pages.report_films import prepared
from armillary.experiments.pages.report_planning import compared_planning, planning_content
from armillary.experiments.pages.report_render import render_content
from armillary.experiments.pages.report_runs import Run
from armillary.experiments.pages.report_training import compared_training, training_content

_OPEN = 3
"""Up to so many runs are shown unfolded."""


@dataclass(frozen=True)
class Overview:
    """A table of the runs that leads to each of them."""

    runs: Sequence[Run]
    looks: Mapping[str, Look]

    def html(self) -> str:
        """Its HTML."""
        rows = "".join(
            f'<tr><th scope="row"><a href="#{_anchor(index)}">{key_of(*self.looks[run.name])}'
            f"{escape(run.name)}</a></th><td>{escape(run.verb)}</td><td>{escape(run.status)}</td>"
            f"<td>{escape(run.seed)}</td><td>{escape(run.started)}</td></tr>"
            for index, run in enumerate(self.runs)
        )
        heads = "".join(
            f'<th scope="col">{name}</th>' for name in ("Run", "Verb", "Status", "Seed", "Started")
        )
        return (
            '<div class="scroll" role="region" tabindex="0" aria-label="The runs">'
            f'<table class="runs"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
            "</div>"
        )


def report_page(runs: Sequence[Run], title: str | None, limit: int, scratch: Path) -> str:
    """The page as HTML.

    Args:
        runs: at least one.
        title: the headline; ``None`` takes one that suits the runs.
        limit: bytes that the page may have.
        scratch: an existing empty directory for smaller films.

    Raises:
        UsageError: results are damaged, or the page cannot be made so small.
    """
    looks = {run.name: look_of(index) for index, run in enumerate(runs)}
    evaluations = {
        run.name: read_evaluation(run, run.results)
        for run in runs
        if run.verb == "evaluate" and run.results is not None
    }
    contents = [_content(run, evaluations.get(run.name)) for run in runs]
    comparisons = [
        *compared(list(evaluations.values()), looks),
        *compared_planning([run for run in runs if run.verb in ("benchmark", "plan")]),
        *compared_training([run for run in runs if run.verb == "train"], looks),
    ]

    leading = leaders(list(evaluations.values()))

    def page(films: Sequence[Sequence[Block]]) -> str:
        blocks: list[Block] = [_header(runs, title, contents, leading, bool(comparisons))]
        blocks += [Text(run.trouble, warning=True) for run in runs if run.trouble]
        if len(runs) > 1:
            blocks.append(Section("The runs", [Overview(runs, looks)]))
        blocks += comparisons
        parts = zip(runs, contents, films, strict=True)
        if len(runs) == 1:
            return document(_title(runs, title), [*blocks, *_sections(*next(parts))])
        folds = [_fold(index, *part, len(runs) <= _OPEN) for index, part in enumerate(parts)]
        blocks += [*_together(contents, films), Section("Run by run", folds)]
        return document(_title(runs, title), blocks)

    requests = [request for content in contents for request in content.films]
    bare = len(page([[] for _ in runs]).encode())
    if bare > limit:
        raise UsageError(
            f"the page takes {bare / 1e6:.2f} MB without any film, more than "
            f"megabytes={limit / 1e6:g}; give more megabytes=... or fewer runs"
        )
    ready = iter(prepared(requests, scratch, limit - bare))
    return page([[next(ready) for _ in content.films] for content in contents])


def _content(run: Run, evaluation: Evaluation | None) -> Content:
    if evaluation is not None:
        return evaluation_content(evaluation)
    if run.verb in ("benchmark", "plan"):
        return planning_content(run)
    if run.verb == "train":
        return training_content(run)
    if run.verb == "render":
        return render_content(run)
    return plain_content(run)


def _title(runs: Sequence[Run], title: str | None) -> str:
    if title is not None:
        return title
    verbs = dict.fromkeys(run.verb for run in runs)
    if len(runs) == 1:
        return f"{runs[0].name}: {runs[0].verb}"
    return f"{len(runs)} runs: {', '.join(verbs)}"


def _header(
    runs: Sequence[Run],
    title: str | None,
    contents: Sequence[Content],
    leading: Sequence[tuple[str, str]],
    compares: bool,
) -> Header:
    """The headline, and what is to be known first."""
    if len(runs) == 1:
        lead = contents[0].about or f"A run of armillary {runs[0].verb}."
        return Header(_title(runs, title), lead, contents[0].highlights)
    counts = {verb: sum(run.verb == verb for run in runs) for verb in {r.verb: 0 for r in runs}}
    unfinished = sum(bool(run.trouble) for run in runs)
    highlights = [(str(count), f"runs of {verb}") for verb, count in counts.items()]
    highlights += [(str(unfinished), "not finished")] if unfinished else []
    highlights += leading
    lead = "Every run is shown by itself."
    if compares:
        lead = "Runs under the same conditions are compared; then every run is shown by itself."
    return Header(_title(runs, title), lead, highlights)


def _sections(run: Run, content: Content, films: Sequence[Block]) -> list[Section]:
    """All about the only run of a page."""
    sections = []
    if content.blocks or content.folded:
        sections.append(Section("Results", [*content.blocks, *content.folded]))
    if films:
        sections.append(Section("Films", _arranged(content, films)))
    return [*sections, Section("What was run", facts(run))]


def _fold(index: int, run: Run, content: Content, films: Sequence[Block], unfolded: bool) -> Fold:
    """All about one of several runs, but the films that are shown with those of others."""
    blocks: list[Block] = [Text(content.about)] if content.about else []
    own = [film for film, r in zip(films, content.films, strict=False) if not r.group]
    blocks += [*content.blocks, *_arranged(content, own), *content.folded]
    blocks.append(Fold("What was run", facts(run)))
    title = f"{run.name} · {run.verb}"
    return Fold(title, blocks, heading=True, anchor=_anchor(index), unfolded=unfolded)


def _arranged(content: Content, films: Sequence[Block]) -> list[Block]:
    return [Gallery(films)] if content.gallery and films else list(films)


def _together(contents: Sequence[Content], films: Sequence[Sequence[Block]]) -> list[Section]:
    """A section of the films that belong together; the first group is unfolded."""
    groups: dict[str, list[Block]] = {}
    for content, blocks in zip(contents, films, strict=True):
        for request, block in zip(content.films, blocks, strict=False):
            if request.group:
                groups.setdefault(request.group, []).append(block)
    folds = [
        Fold(title, [Gallery(blocks)], heading=True, unfolded=index == 0)
        for index, (title, blocks) in enumerate(groups.items())
    ]
    text = "Each run has its own best, median and worst video, by the PSNR of the best rollout."
    return [Section("Films", [Text(text), *folds])] if folds else []


def _anchor(index: int) -> str:
    return f"run-{index + 1}"
