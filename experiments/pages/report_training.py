"""What a page shows of ``train``: curves of validation and what they ended at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from armillary.experiments.pages.charts import Chart
from armillary.experiments.pages.measures import Estimate, Look, Measure, Measured, Measures
from armillary.experiments.pages.page_blocks import Block, Charts, Section, Table, Text
from armillary.experiments.pages.report_content import Content, duration
from armillary.experiments.pages.report_runs import Run
from armillary.experiments.pages.training_curves import training_charts

_MEASURES = {
    "open_loop_psnr": Measure("PSNR imagined (dB)", digits=2),
    "context_psnr": Measure("PSNR context (dB)", digits=2),
    "copy_psnr": Measure("PSNR copying (dB)", digits=2, arrow=False),
    "open_loop_ari": Measure("FG-ARI imagined"),
    "context_ari": Measure("FG-ARI context"),
}
_COMPARED = "imagined"
"""The line of a training chart that a comparison shows."""


def training_content(run: Run) -> Content:
    """The curves of a run, also of one that goes on, and its last validation."""
    charts = curves(run)
    blocks: list[Block] = [Charts(charts)] if charts else [Text("There are no curves of it.", True)]
    if run.results is None:
        return Content(blocks=blocks)
    steps, metrics = run.results["steps"].count(), _metrics(run)
    rows = [("optimiser steps", str(steps)), ("time", duration(run.results["seconds"].number()))]
    rows += [(_shape(name).name, _shape(name).text(value)) for name, value in metrics.items()]
    psnr = metrics.get("open_loop_psnr")
    highlights = [] if psnr is None else [(f"{psnr:.1f} dB", "PSNR of imagined frames, held out")]
    return Content(
        about=f"{steps} optimiser steps.",
        highlights=[*highlights, (str(steps), "optimiser steps")],
        blocks=[*blocks, Table("The last validation", rows)],
    )


def curves(run: Run) -> list[Chart]:
    """The charts of the run's TensorBoard log; none where there is no log."""
    log = run.directory / "tb"
    return training_charts(log) if log.is_dir() else []


def compared_training(runs: Sequence[Run], looks: Mapping[str, Look]) -> list[Section]:
    """The runs' curves on each other and their last validations; nothing for a single run."""
    if len(runs) < 2:
        return []
    lines: dict[str, list] = {}
    labels: dict[str, Chart] = {}
    for run in runs:
        for chart in curves(run):
            labels[chart.title] = chart
            color, dash = looks[run.name]
            lines.setdefault(chart.title, []).extend(
                replace(line, name=run.name, color=color, dash=dash)
                for line in chart.lines
                if line.name == _COMPARED
            )
    charts = [
        replace(labels[title], lines=held, marks=(), note="", legend=True)
        for title, held in lines.items()
        if held
    ]
    ended = {run.name: _metrics(run) for run in runs if run.results is not None}
    names = [name for name in _MEASURES if any(name in held for held in ended.values())]
    rows = [
        Measured(run, [Estimate(m[name]) if name in m else None for name in names], looks[run])
        for run, m in ended.items()
    ]
    text = "One run has no interval: small differences may be due to the seed, so none is marked."
    blocks: list[Block] = [Text(text), Charts(charts)]
    if names:
        columns = [_MEASURES[name] for name in names]
        blocks.append(Measures("The last validation", "Run", columns, rows))
    return [Section("Comparison of training", blocks)]


def _metrics(run: Run) -> dict[str, float]:
    """The last validation, without its details for single frames."""
    if run.results is None:
        return {}
    held = {k: v.optional() for k, v in run.results["metrics"].table().items() if "/" not in k}
    return {name: value for name, value in held.items() if value is not None}


def _shape(name: str) -> Measure:
    return _MEASURES.get(name, Measure(name.replace("_", " ")))
