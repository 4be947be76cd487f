"""What a page shows of ``train``: curves of validation and what they ended at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from armillary.experiments.command.console import counted, duration
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.metrics import METRICS, metric_of
from armillary.experiments.evaluation.results import Training
from armillary.experiments.pages.charts import Chart, Charts, Line, Look, Point, drawable
from armillary.experiments.pages.conditions import alone, grouped, of_training
from armillary.experiments.pages.event_log import read_log
from armillary.experiments.pages.html import Content, Section
from armillary.experiments.pages.measures import Estimate, Measured, Measures
from armillary.experiments.pages.runs import Run

_CHARTS: tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...] = (
    (
        "Imagined frames: PSNR (dB)",
        (("imagined", "open_loop_psnr", 1), ("copying", "copy_psnr", 0)),
    ),
    (
        "Segmentation of the objects: FG-ARI",
        (("context", "context_ari", 2), ("imagined", "open_loop_ari", 1)),
    ),
)
_STAGE = "run/stage"
_COMPARED = "imagined"
"""The line of a training chart that a comparison shows."""
_NO_INTERVAL = (
    "One run has no interval: small differences may be due to the seed, so none is marked."
)


def training_charts(directory: Path) -> list[Chart]:
    """What validation said over the steps of a run; charts without data are left out.

    Args:
        directory: of the TensorBoard log.

    Raises:
        UsageError: the log is damaged.
    """
    log = read_log(directory)
    known = set(log.Tags()["scalars"])

    def points(tag: str) -> list[Point]:
        return [(event.step, event.value) for event in log.Scalars(tag)] if tag in known else []

    marks = _starts([point for point in points(_STAGE) if drawable(point[1])])
    dotted = "dotted: the next stage of training begins" if marks else ""
    charts = []
    for title, series in _CHARTS:
        found = [(name, points(f"validation/{tag}"), color) for name, tag, color in series]
        kept = [(n, [p for p in values if drawable(p[1])], color) for n, values, color in found]
        lines = [Line(name, values, color) for name, values, color in kept if values]
        lost = sum(len(values) for _, values, _ in found) - sum(len(v) for _, v, _ in kept)
        told = f"{counted(lost, 'value')} left out: NaN, infinite or beyond all sense"
        if lines:
            note = "; ".join(text for text in (dotted, told if lost else "") if text)
            charts.append(Chart(title, "optimiser steps", lines, marks, note))
    return charts


def content(run: Run) -> Content:
    """The curves of a run, also of one that goes on, and its last validation."""
    (curves, told), found = _curves(run), run.results
    charts = Charts(curves)
    if not isinstance(found, Training):
        return Content("training.html.j2", {"charts": charts, "rows": [], "remarks": told})
    metrics = _metrics(found)
    rows = [("optimiser steps", str(found.steps)), ("time", duration(found.seconds))]
    rows += [(metric_of(n).heading, metric_of(n).text(value)) for n, value in metrics.items()]
    psnr = metrics.get("open_loop_psnr")
    highlights = [] if psnr is None else [(f"{psnr:.1f} dB", "PSNR of imagined frames, held out")]
    return Content(
        "training.html.j2",
        {"charts": charts, "rows": rows, "remarks": [*told, *found.remarks]},
        f"{counted(found.steps, 'optimiser step')}.",
        [*highlights, (str(found.steps), "optimiser steps")],
    )


def compared(runs: Sequence[Run], looks: Mapping[str, Look]) -> list[Section]:
    """A section for every group of at least two runs on the same data."""
    groups = grouped((of_training(run), run) for run in runs)
    sections = [
        Section(
            group.title("Comparison of training"),
            "trainings.html.j2",
            _compared(group.conditions.text, group.members, looks),
        )
        for group in groups
        if len(group.members) > 1
    ]
    why = "no other run was trained on the same data"
    lone = [(g.members[0].name, g) for g in groups if len(g.members) == 1 < len(runs)]
    return [*sections, *alone("Trainings that stand alone", why, lone)]


def _compared(data: str, runs: Sequence[Run], looks: Mapping[str, Look]) -> dict[str, object]:
    lines: dict[str, list[Line]] = {}
    first: dict[str, Chart] = {}
    for run in runs:
        for chart in _curves(run)[0]:
            first.setdefault(chart.title, chart)
            color, dash = looks[run.name]
            lines.setdefault(chart.title, []).extend(
                replace(line, name=run.name, color=color, dash=dash)
                for line in chart.lines
                if line.name == _COMPARED
            )
    charts = [
        replace(first[title], lines=held, marks=(), note="", legend=True)
        for title, held in lines.items()
        if held
    ]
    ended = {run.name: _metrics(run.results) for run in runs if isinstance(run.results, Training)}
    names = [n for n, m in METRICS.items() if m.of == "validation"]
    names = [name for name in names if any(name in held for held in ended.values())]
    rows = [
        Measured(run, [Estimate(m[name]) if name in m else None for name in names], looks[run])
        for run, m in ended.items()
    ]
    columns = [metric_of(name) for name in names]
    return {
        "text": f"{data}. {_NO_INTERVAL}" if data else _NO_INTERVAL,
        "charts": Charts(charts),
        "table": Measures("The last validation", "Run", columns, rows) if names else None,
    }


def _curves(run: Run) -> tuple[list[Chart], list[str]]:
    """The charts of the run's TensorBoard log, none where there is no log, and what is to be told.

    A log that is damaged keeps no page from being made.
    """
    log = run.directory / "tb"
    if not log.is_dir():
        return [], []
    try:
        return training_charts(log), []
    except UsageError as error:
        return [], [f"There are no curves. {error}"]


def _metrics(found: Training) -> dict[str, float]:
    """The last validation, without its details for single frames."""
    return {k: v for k, v in found.metrics.items() if v is not None and "/" not in k}


def _starts(stages: Sequence[Point]) -> list[tuple[float, str]]:
    """The steps at which a later stage begins."""
    pairs = pairwise(stages)
    return [(now[0], f"stage {int(now[1]) + 1}") for last, now in pairs if now[1] > last[1]]
