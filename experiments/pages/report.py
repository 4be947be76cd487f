"""Composes the page of a report: the numbers, comparisons, and then every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from armillary import plugins
from armillary.errors import PluginError
from armillary.experiments.command.console import counted, joined
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.diagnosis.evidence import Diagnosis
from armillary.experiments.evaluation.results import Evaluation, Realism, Rendering
from armillary.experiments.evaluation.speed import Speed
from armillary.experiments.evaluation.success import Benchmark
from armillary.experiments.films.embedded import Film, NoFilm, prepared
from armillary.experiments.pages import (
    comparison,
    diagnosis,
    evaluation,
    others,
    planning,
    training,
)
from armillary.experiments.pages.charts import Look, look_of
from armillary.experiments.pages.html import Content, render
from armillary.experiments.pages.runs import Run
from armillary.experiments.pages.success import cards, suite

_OPEN = 3
"""Up to so many runs are shown unfolded."""
_MOST_FIGURES = 8
_NOUNS = {"evaluate": "evaluation", "benchmark": "benchmark", "train": "training run"}


@dataclass(frozen=True)
class Shown:
    """A run on the page.

    Attributes:
        run: that is shown.
        content: of it.
        look: of its lines.
        anchor: what links lead to.
        extra: sections of plug-ins, by name.
        films: of it, ready; empty until they are.
    """

    run: Run
    content: Content
    look: Look
    anchor: str
    extra: Sequence[tuple[str, str]]
    films: Sequence[Film | NoFilm] = ()

    @property
    def own_films(self) -> list[Film | NoFilm]:
        """Films that are not shown with those of other runs."""
        pairs = zip(self.films, self.content.films, strict=False)
        return [film for film, request in pairs if not request.group]

    @property
    def figure(self) -> str:
        """What it found, in short."""
        told = self.content.highlights
        return f"{told[0][0]} ({told[0][1]})" if told else ""


def report_page(runs: Sequence[Run], title: str | None, limit: int, scratch: Path) -> str:
    """The page as HTML.

    Args:
        runs: at least one.
        title: the headline; ``None`` takes one that suits the runs.
        limit: bytes that the page may have.
        scratch: an existing empty directory for smaller films.

    Raises:
        UsageError: results are damaged, or the page cannot be made so small.
        PluginError: a plug-in's section is no text.
    """
    looks = {run.name: look_of(index) for index, run in enumerate(runs)}
    evaluated = evaluation.evaluations_of(runs)
    contents = [_content(run) for run in runs]
    comparisons = [
        *comparison.compared(evaluated, looks),
        *planning.compared(runs),
        *training.compared([run for run in runs if run.verb == "train"], looks),
    ]
    leading = comparison.leaders(evaluated)
    extra = [_extra(run) for run in runs]

    def page(films: Sequence[Sequence[Film | NoFilm]]) -> str:
        shown = [
            Shown(run, told, looks[run.name], f"run-{number}", more, own)
            for number, (run, told, more, own) in enumerate(
                zip(runs, contents, extra, films, strict=True), 1
            )
        ]
        return render(
            "report.html.j2",
            title=title or _title(runs),
            lead=_lead(runs, contents, bool(comparisons)),
            highlights=_highlights(shown, leading),
            comparisons=comparisons,
            said=" ".join(section.view.get("note", "") for section in comparisons),
            shown=shown,
            together=_together(shown) if len(runs) > 1 else {},
            unfolded=len(runs) <= _OPEN,
        )

    bare = len(page([[] for _ in runs]).encode())
    if bare > limit:
        raise UsageError(
            f"the page takes {bare / 1e6:.2f} MB without any film, more than "
            f"megabytes={limit / 1e6:g}; give more megabytes=... or fewer runs"
        )
    requests = [request for told in contents for request in told.films]
    ready = iter(prepared(requests, scratch, limit - bare))
    return page([[next(ready) for _ in told.films] for told in contents])


def _content(run: Run) -> Content:
    """What is shown of a run, by what kind of results it has."""
    found = run.results
    if run.verb == "train":
        return training.content(run)
    if isinstance(found, Evaluation):
        return evaluation.content(evaluation.Evaluated(run, found))
    if isinstance(found, Benchmark) and found.suite and found.rows:
        return suite.content(run, found)
    if isinstance(found, Benchmark):
        return planning.content(run, found)
    if isinstance(found, Diagnosis):
        return diagnosis.content(found)
    if isinstance(found, Rendering):
        return others.rendered(run, found)
    if isinstance(found, Realism):
        return others.measured(found)
    if isinstance(found, Speed):
        return others.benched(found)
    return others.plain(run)


def _extra(run: Run) -> list[tuple[str, str]]:
    """What the cards of its checkpoints and plug-ins say of a run that has results."""
    if run.results is None:
        return []
    found = cards.told(run)
    for name, entry in plugins.registered("section").items():
        told = entry.thing(run.directory, run.verb, run.raw())
        if told is not None and not isinstance(told, str):
            raise PluginError(f"the section {name!r} must be a text or None, got {type(told)}")
        found += [(name, told)] if told else []
    return found


def _title(runs: Sequence[Run]) -> str:
    verbs = dict.fromkeys(run.verb for run in runs)
    if len(runs) == 1:
        return f"{runs[0].name}: {runs[0].verb}"
    return f"{len(runs)} runs: {', '.join(verbs)}"


def _lead(runs: Sequence[Run], contents: Sequence[Content], compares: bool) -> str:
    """What is to be known first."""
    if len(runs) == 1:
        return contents[0].about or f"A run of armillary {runs[0].verb}."
    verbs = [run.verb for run in runs]
    counts = [
        counted(verbs.count(verb), _NOUNS[verb])
        if verb in _NOUNS
        else counted(verbs.count(verb), f"run of {verb}", f"runs of {verb}")
        for verb in dict.fromkeys(verbs)
    ]
    unfinished = sum(bool(run.trouble) for run in runs)
    told = f", {unfinished} of them not finished" if unfinished else ""
    how = "Every run is shown by itself."
    if compares:
        how = "Runs under the same conditions are compared; then every run is shown by itself."
    return f"{joined(counts)}{told}. {how}"


def _highlights(
    shown: Sequence[Shown], leading: Sequence[tuple[str, str]]
) -> Sequence[tuple[str, str]]:
    """The figures of a run; of several, the first figures, of each verb some, and who leads."""
    if len(shown) == 1:
        return shown[0].content.highlights
    by_verb: dict[str, list[tuple[str, str]]] = {}
    for one in shown:
        for value, name in one.content.highlights[:1]:
            by_verb.setdefault(one.run.verb, []).append((value, f"{name} · {one.run.name}"))
    queues = [list(figures) for figures in by_verb.values()]
    figures = []
    while any(queues):
        figures += [queue.pop(0) for queue in queues if queue]
    return [*figures[: _MOST_FIGURES - len(leading)], *leading]


def _together(shown: Sequence[Shown]) -> dict[str, list[Film | NoFilm]]:
    """The films of several runs that belong together."""
    groups: dict[str, list[Film | NoFilm]] = {}
    for one in shown:
        for request, film in zip(one.content.films, one.films, strict=False):
            if request.group:
                groups.setdefault(request.group, []).append(film)
    return groups
