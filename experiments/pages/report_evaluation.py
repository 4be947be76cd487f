"""What a page shows of an evaluation: tiers and baselines, curves, objects, diversity, examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from armillary.experiments.pages.charts import Chart, Line
from armillary.experiments.pages.measures import Estimate, Measure, Measured, Measures
from armillary.experiments.pages.page_blocks import Block, Charts, Fold, Subheading, Table, Text
from armillary.experiments.pages.report_content import Content
from armillary.experiments.pages.report_evaluations import (
    BASELINES,
    TIERS,
    Evaluation,
    Example,
    Stats,
    measure,
)
from armillary.experiments.pages.report_films import FilmRequest

_LINES = (("best", 1), ("median", 3), ("worst", 2))
_QUIET = {"copy_last_frame": 1, "mean_image": 2}
FRAMES = "imagined frames (up to 0: context)"
CURVES = "Means over videos; the bands are 95 % bootstrap intervals."
_PLACES = {
    "best": "the video imagined best",
    "median": "the median video",
    "worst": "the video imagined worst",
}


def evaluation_content(evaluation: Evaluation) -> Content:
    """Everything about one evaluation."""
    best = {name: tiers["best"].estimate for name, tiers in evaluation.metrics.items()}
    objects = {name: stats.estimate for name, stats in evaluation.objects.items()}
    highlights = [
        (measure(name).text(estimate.value), f"{measure(name).name}, {what}")
        for names, estimates, what in (
            (("psnr", "ssim"), best, f"best of {evaluation.rollouts}"),
            (("fg_ari", "mean_iou"), objects, "imagined frames"),
        )
        for name in names
        if (estimate := estimates.get(name)) is not None
    ]
    charts = _charts(evaluation)
    blocks: list[Block] = [_tiers(evaluation)]
    if evaluation.objects:
        blocks += _objects(evaluation)
    if evaluation.diversity:
        blocks.append(_diversity(evaluation))
    if charts:
        blocks += [Subheading("Frame by frame"), Text(CURVES), Charts(charts)]
    folded = [_quantiles(evaluation), numbers(charts)]
    data = [(name.replace("_", " "), value) for name, value in evaluation.data]
    return Content(
        about=f"{evaluation.model}: {evaluation.setting}.",
        highlights=highlights,
        blocks=blocks,
        films=[_film(evaluation, example) for example in evaluation.examples],
        gallery=True,
        folded=[Fold("The data", [Table("", data)]), *folded],
    )


def numbers(charts: Sequence[Chart]) -> Fold:
    """The values of charts, frame by frame, as tables."""
    tables: list[Block] = []
    for chart in charts:
        frames = sorted({x for line in chart.lines for x, _ in line.points})
        values = [dict(line.points) for line in chart.lines]
        rows = [
            Measured(f"{x:g}", [Estimate(held[x]) if x in held else None for held in values])
            for x in frames
        ]
        columns = [Measure(line.name, arrow=False) for line in chart.lines]
        tables.append(Measures(chart.title, "Frame", columns, rows))
    return Fold("The curves as numbers", tables)


def _tiers(evaluation: Evaluation) -> Measures:
    names = list(evaluation.metrics)
    held = {tier: of_tier(evaluation, tier) for tier in TIERS}
    rows = [_row(TIERS[tier], names, stats) for tier, stats in held.items() if stats]
    rows += [
        _row(BASELINES.get(name, name), names, stats, "baseline")
        for name, stats in evaluation.baselines.items()
    ]
    title = f"Imagined frames, means over {evaluation.videos} videos with 95 % intervals"
    return Measures(title, "Rollouts", [measure(name) for name in names], rows)


def _row(name: str, columns: Sequence[str], stats: Mapping[str, Stats], note: str = "") -> Measured:
    values = [stats[column].estimate if column in stats else None for column in columns]
    return Measured(name, values, note=note)


def _charts(evaluation: Evaluation) -> list[Chart]:
    charts = []
    for name, tiers in evaluation.metrics.items():
        lines = [
            Line(TIERS[tier], tiers[tier].curve, color, band=tiers[tier].band)
            for tier, color in _LINES
            if tier in tiers and tiers[tier].curve
        ]
        lines += baseline_lines(evaluation, name)
        if lines:
            charts.append(Chart(measure(name).name, "imagined frames", lines, legend=True))
    lines = [
        Line(measure(name).name, stats.curve, color, band=stats.band)
        for color, (name, stats) in enumerate(evaluation.objects.items(), 1)
        if stats.curve
    ]
    if lines:
        charts.append(Chart("Objects", FRAMES, lines, legend=True))
    return charts


def of_tier(evaluation: Evaluation, tier: str) -> dict[str, Stats]:
    """The statistics of one tier, by metric."""
    return {name: tiers[tier] for name, tiers in evaluation.metrics.items() if tier in tiers}


def baseline_lines(evaluation: Evaluation, metric: str) -> list[Line]:
    """The quiet lines of what a model has to beat."""
    return [
        Line(BASELINES.get(name, name), stats[metric].curve, 0, _QUIET.get(name, 3))
        for name, stats in evaluation.baselines.items()
        if metric in stats and stats[metric].curve
    ]


def _objects(evaluation: Evaluation) -> list[Block]:
    names = list(evaluation.objects)
    context = [evaluation.context_objects[name] for name in names]
    rows = [_row("imagined frames", names, evaluation.objects)]
    if any(context):
        rows.insert(0, Measured("context frames", context))
    columns = [measure(name) for name in names]
    blocks: list[Block] = [Measures("Objects, against the true masks", "Frames", columns, rows)]
    if evaluation.recall:
        values = [None if v is None else Estimate(v) for _, v in evaluation.recall]
        columns = [Measure(f"IoU {threshold}", arrow=False) for threshold, _ in evaluation.recall]
        row = Measured("recall", values)
        blocks.append(Measures("Share of objects found, by overlap", "Overlap", columns, [row]))
    return blocks


def _diversity(evaluation: Evaluation) -> Measures:
    names = list(evaluation.diversity)
    row = _row(f"{evaluation.rollouts} rollouts of each video", names, evaluation.diversity)
    return Measures("Diversity of the rollouts", "Of", [measure(name) for name in names], [row])


def _quantiles(evaluation: Evaluation) -> Fold:
    tables: list[Block] = []
    for name, tiers in evaluation.metrics.items():
        known = {tier: tiers[tier] for tier in TIERS if tier in tiers}
        percents = list(dict.fromkeys(p for stats in known.values() for p, _ in stats.quantiles))
        shape = measure(name)
        columns = [Measure(f"{p} %", digits=shape.digits, arrow=False) for p in percents]
        rows = []
        for tier, stats in known.items():
            held = dict(stats.quantiles)
            values = [None if (v := held.get(p)) is None else Estimate(v) for p in percents]
            rows.append(Measured(TIERS[tier], values))
        tables.append(Measures(shape.name, "Rollouts", columns, rows))
    title = f"Quantiles over {evaluation.videos} videos"
    return Fold(title, tables or [Subheading("The results have none")])


def _film(evaluation: Evaluation, example: Example) -> FilmRequest:
    psnr = "" if example.psnr is None else f", PSNR {example.psnr:.2f} dB"
    place = _PLACES.get(example.tier, f"the {example.tier} video")
    return FilmRequest(
        title=f"{evaluation.run.name}: {place}",
        caption=f"Video {example.video}, rollout {example.rollout}{psnr}.",
        alt=(
            f"Film of {place}, number {example.video}: the truth, what {evaluation.model} "
            f"imagined{psnr}, and its slots with their masks"
        ),
        gif=example.gif,
        group=f"{place[0].upper()}{place[1:]}",
    )
