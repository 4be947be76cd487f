"""What a page shows of ``evaluate``: tiers, baselines, objects, curves, films; and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from armillary.experiments.command.console import counted
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.metrics import Metric, metric_of
from armillary.experiments.evaluation.results import RESULTS, Evaluation, Example, Statistics
from armillary.experiments.pages.charts import Chart, Charts, Line, Look
from armillary.experiments.pages.conditions import grouped, of_evaluation
from armillary.experiments.pages.films import FilmRequest
from armillary.experiments.pages.html import Content, Section
from armillary.experiments.pages.measures import (
    Estimate,
    Measured,
    Measures,
    estimate_of,
    separated_best,
)
from armillary.experiments.pages.runs import Run

_BASELINES = {"copy_last_frame": "copying the last frame", "mean_image": "mean image"}
_TIERS = {
    "best": "best rollout",
    "mean": "mean over rollouts",
    "median": "median rollout",
    "random": "random rollout",
    "worst": "worst rollout",
}
"""What of the rollouts of a video is taken; chosen for each video by the sum over its frames."""
_LINES = (("best", 1), ("median", 3), ("worst", 2))
_QUIET = {"copy_last_frame": 1, "mean_image": 2}
_SHOWN = ("best", "mean")
"""Tiers that a comparison does not fold away, and has charts of."""
_FEW = 4
"""Runs whose bands can be told apart in one chart."""
_IMAGINED, _FRAMES = "imagined frames", "imagined frames (up to 0: context)"
_BANDS = "Means over videos; the bands are 95 % bootstrap intervals."
_PLACES = {
    "best": "the video imagined best",
    "median": "the median video",
    "worst": "the video imagined worst",
}

Looks = Mapping[str, Look]
"""Colour and dash of each run, by its name."""
Pick = Callable[[Evaluation], Mapping[str, Statistics]]


@dataclass(frozen=True)
class Evaluated:
    """A run of ``evaluate`` and what it found."""

    run: Run
    found: Evaluation

    @property
    def name(self) -> str:
        """Of the run."""
        return self.run.name

    def metric(self, name: str) -> Metric:
        """How a metric of it is written."""
        return metric_of(name, self.found.table)


def evaluations_of(runs: Sequence[Run]) -> list[Evaluated]:
    """The runs of ``evaluate`` that have results."""
    return [Evaluated(run, run.results) for run in runs if isinstance(run.results, Evaluation)]


def content(one: Evaluated) -> Content:
    """Everything about one evaluation."""
    found, known = one.found, one.metric
    best = [(name, estimate_of(tiers["best"])) for name, tiers in found.metrics.items()]
    masks = [(name, estimate_of(stats)) for name, stats in _objects(found).items()]
    highlights = [
        (known(name).text(estimate.value), f"{known(name).heading}, {what}")
        for names, estimates, what in (
            (("psnr", "ssim"), best, f"best of {found.rollouts}"),
            (("fg_ari", "mean_iou"), masks, _IMAGINED),
        )
        for name, estimate in estimates
        if name in names and estimate is not None
    ]
    charts = _charts_of_one(one)
    data = [(k, v) for k, v in found.data.model_dump(exclude_none=True).items() if _plain(v)]
    view = {
        "tables": [_tiers(one), *_object_tables(one), *_diversity_tables(one)],
        "curves": _BANDS,
        "charts": Charts(charts),
        "data": [(name.replace("_", " "), str(value)) for name, value in data],
        "quantiles": (f"Quantiles over {counted(found.videos, 'video')}", _quantiles(one)),
        "numbers": _numbers(charts),
    }
    return Content(
        "evaluation.html.j2",
        view,
        f"{found.model}: {of_evaluation(found).text}.",
        highlights,
        [_film(one, index, example) for index, example in enumerate(found.examples)],
        gallery=True,
    )


def compared(evaluated: Sequence[Evaluated], looks: Looks) -> list[Section]:
    """A section for every group of at least two runs under the same conditions."""
    groups = grouped((of_evaluation(one.found), one) for one in evaluated)
    sections = [
        Section(
            group.title("Comparison of evaluations"),
            "comparison.html.j2",
            {"text": group.conditions.text, **_compared(group.members, looks)},
        )
        for group in groups
        if len(group.members) > 1
    ]
    alone = [group for group in groups if len(group.members) == 1]
    if alone and len(evaluated) > 1:
        names = ", ".join(group.members[0].name for group in alone)
        text = f"Not compared, because no other run has the same data and sizes: {names}."
        differs = [f"{group.members[0].name}: {group.differs}." for group in alone]
        view = {"text": text, "differs": differs}
        sections.append(Section("Evaluations that stand alone", "alone.html.j2", view))
    return sections


def leaders(evaluated: Sequence[Evaluated]) -> list[tuple[str, str]]:
    """Which run leads beyond doubt, if all were made under the same conditions; else nothing."""
    if len(evaluated) < 2 or len({of_evaluation(one.found) for one in evaluated}) > 1:
        return []
    first = evaluated[0]
    told = []
    for name, what, pick in (
        ("psnr", f"best of {first.found.rollouts}", partial(_of_tier, tier="best")),
        ("fg_ari", _IMAGINED, _objects),
    ):
        estimates = [estimate_of(pick(one.found).get(name)) for one in evaluated]
        if any(estimates):
            rivals = [estimate_of(stats.get(name)) for stats in first.found.baselines.values()]
            leader = separated_best([*estimates, *rivals], first.metric(name).higher_is_better)
            names = dict(enumerate(one.name for one in evaluated))
            words = "no clear lead" if leader is None else names.get(leader, "the baseline")
            told.append((words, f"leads in {first.metric(name).heading}, {what}"))
    return told


def _compared(group: Sequence[Evaluated], looks: Looks) -> dict[str, Any]:
    charts = _charts_of_group(group, looks)
    tiers = {
        tier: _table(
            f"Imagined frames: {words}", group, looks, partial(_of_tier, tier=tier), baselines=True
        )
        for tier, words in _TIERS.items()
    }
    tables = [tiers[tier] for tier in _SHOWN]
    tables.append(_table("Objects in imagined frames", group, looks, _objects))
    folded = [table for tier, table in tiers.items() if tier not in _SHOWN]
    folded.append(_table("Diversity of the rollouts", group, looks, lambda e: e.diversity))
    return {
        "tables": [table for table in tables if table],
        "folded": [table for table in folded if table],
        "curves": _BANDS if len(group) <= _FEW else "Means over videos.",
        "charts": Charts(charts),
        "numbers": _numbers(charts),
    }


def _table(
    title: str, group: Sequence[Evaluated], looks: Looks, pick: Pick, baselines: bool = False
) -> Measures | None:
    """Runs by measures; ``None`` where no run has any."""
    held = [pick(one.found) for one in group]
    names = list(dict.fromkeys(name for stats in held for name in stats))
    if not names:
        return None
    several = len({one.found.model for one in group}) > 1
    rows = [
        _row(one.name, names, stats, looks[one.name], one.found.model if several else "")
        for one, stats in zip(group, held, strict=True)
    ]
    rows += _baseline_rows(group[0], names) if baselines else []
    return Measures(title, "Run", [_known(group, name) for name in names], rows, mark=True)


def _known(group: Sequence[Evaluated], name: str) -> Metric:
    """How a metric is written, as the first run that describes it says."""
    return next((one.metric(name) for one in group if name in one.found.table), metric_of(name))


def _row(
    name: str,
    columns: Sequence[str],
    stats: Mapping[str, Statistics],
    look: Look | None = None,
    note: str = "",
) -> Measured:
    return Measured(name, [estimate_of(stats.get(column)) for column in columns], look, note)


def _baseline_rows(one: Evaluated, columns: Sequence[str]) -> list[Measured]:
    baselines = one.found.baselines.items()
    return [_row(_BASELINES.get(n, n), columns, stats, note="baseline") for n, stats in baselines]


def _tiers(one: Evaluated) -> Measures:
    found, names = one.found, list(one.found.metrics)
    rows = [_row(words, names, _of_tier(found, tier)) for tier, words in _TIERS.items()]
    rows = [row for row in rows if any(row.values)] + _baseline_rows(one, names)
    title = f"Imagined frames, means over {counted(found.videos, 'video')} with 95 % intervals"
    return Measures(title, "Rollouts", [one.metric(name) for name in names], rows)


def _object_tables(one: Evaluated) -> list[Measures]:
    objects = one.found.objects
    if objects is None or not objects.measures:
        return []
    names = list(objects.measures)
    contexts = {name: stats.context for name, stats in objects.measures.items()}
    rows = [_row("context frames", names, contexts), _row(_IMAGINED, names, objects.measures)]
    columns = [one.metric(name) for name in names]
    rows = [row for row in rows if any(row.values)]
    tables = [Measures("Objects, against the true masks", "Frames", columns, rows)]
    if objects.recall_at:
        columns = [Metric(f"IoU {threshold}") for threshold in objects.recall_at]
        values = [None if v is None else Estimate(v) for v in objects.recall_at.values()]
        row = Measured("recall", values)
        tables.append(Measures("Share of objects found, by overlap", "Overlap", columns, [row]))
    return tables


def _diversity_tables(one: Evaluated) -> list[Measures]:
    names = list(one.found.diversity)
    if not names:
        return []
    row = _row(
        f"{counted(one.found.rollouts, 'rollout')} of each video", names, one.found.diversity
    )
    return [Measures("Diversity of the rollouts", "Of", [one.metric(n) for n in names], [row])]


def _quantiles(one: Evaluated) -> list[Measures]:
    tables = []
    for name, tiers in one.found.metrics.items():
        known = {tier: tiers[tier].quantiles for tier in _TIERS if tier in tiers}
        percents = list(dict.fromkeys(p for quantiles in known.values() for p in quantiles))
        metric = one.metric(name)
        columns = [Metric(f"{percent} %", digits=metric.digits) for percent in percents]
        rows = []
        for tier, quantiles in known.items():
            values = [quantiles.get(percent) for percent in percents]
            rows.append(
                Measured(_TIERS[tier], [None if v is None else Estimate(v) for v in values])
            )
        tables += [Measures(metric.heading, "Rollouts", columns, rows)] if columns else []
    return tables


def _numbers(charts: Sequence[Chart]) -> list[Measures]:
    """The values of charts, frame by frame, as tables."""
    tables = []
    for chart in charts:
        frames = sorted({x for line in chart.lines for x, _ in line.points})
        values = [dict(line.points) for line in chart.lines]
        rows = [
            Measured(f"{x:g}", [Estimate(held[x]) if x in held else None for held in values])
            for x in frames
        ]
        columns = [Metric(line.name) for line in chart.lines]
        tables.append(Measures(chart.title, "Frame", columns, rows))
    return tables


def _charts_of_one(one: Evaluated) -> list[Chart]:
    charts, horizon = [], one.found.horizon
    for name, tiers in one.found.metrics.items():
        lines = [
            line
            for tier, color in _LINES
            if tier in tiers and (line := _line(_TIERS[tier], tiers[tier], horizon, (color, 0)))
        ]
        lines += _baseline_lines(one, name)
        charts += [Chart(one.metric(name).heading, _IMAGINED, lines, legend=True)] if lines else []
    lines = [
        line
        for color, (name, stats) in enumerate(_objects(one.found).items(), 1)
        if (line := _line(one.metric(name).heading, stats, horizon, (color, 0)))
    ]
    return [*charts, Chart("Objects", _FRAMES, lines, legend=True)] if lines else charts


def _charts_of_group(group: Sequence[Evaluated], looks: Looks) -> list[Chart]:
    charts, banded = [], len(group) <= _FEW

    def lines_of(pick: Callable[[Evaluation], Statistics | None]) -> list[Line]:
        held = [(one, pick(one.found)) for one in group]
        found = [
            _line(one.name, stats, one.found.horizon, looks[one.name], banded)
            for one, stats in held
            if stats is not None
        ]
        return [line for line in found if line]

    for name in dict.fromkeys(name for one in group for name in one.found.metrics):
        for tier in _SHOWN:
            lines = lines_of(lambda e, n=name, t=tier: e.metrics.get(n, {}).get(t))
            if lines:
                title = f"{_known(group, name).heading}: {_TIERS[tier]}"
                lines += _baseline_lines(group[0], name)
                charts.append(Chart(title, _IMAGINED, lines, legend=True))
    for name in dict.fromkeys(name for one in group for name in _objects(one.found)):
        lines = lines_of(lambda e, n=name: _objects(e).get(n))
        if lines:
            title = f"{_known(group, name).heading} of the objects"
            charts.append(Chart(title, _FRAMES, lines, legend=True))
    return charts


def _baseline_lines(one: Evaluated, metric: str) -> list[Line]:
    """The quiet lines of what a model has to beat."""
    found = [
        _line(_BASELINES.get(n, n), stats[metric], one.found.horizon, (0, _QUIET.get(n, 3)), False)
        for n, stats in one.found.baselines.items()
        if metric in stats
    ]
    return [line for line in found if line]


def _line(
    name: str, stats: Statistics, horizon: int, look: Look, banded: bool = True
) -> Line | None:
    """Values by frame, 1 being the first imagined one; None where none is known."""
    first = 1 + horizon - len(stats.per_frame)
    points = [(float(first + i), v) for i, v in enumerate(stats.per_frame) if v is not None]
    pairs = zip(stats.per_frame_ci95, stats.per_frame, strict=False)
    limits = [limit for limit, value in pairs if value is not None]
    band = [
        (limit[0], limit[1])
        for limit in limits
        if limit is not None and limit[0] is not None and limit[1] is not None
    ]
    color, dash = look
    whole = band if banded and len(band) == len(points) else []
    return Line(name, points, color, dash, whole) if points else None


def _of_tier(found: Evaluation, tier: str) -> dict[str, Statistics]:
    """The statistics of one tier, by metric."""
    return {name: tiers[tier] for name, tiers in found.metrics.items() if tier in tiers}


def _objects(found: Evaluation) -> Mapping[str, Statistics]:
    return found.objects.measures if found.objects else {}


def _plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _film(one: Evaluated, index: int, example: Example) -> FilmRequest:
    folder, gif = one.run.directory, one.run.directory / example.gif
    if not gif.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{folder / RESULTS}: examples.{index}.gif must name a file below {folder}, got {gif}"
        )
    psnr = "" if example.psnr is None else f", PSNR {example.psnr:.2f} dB"
    place = _PLACES.get(example.tier, f"the {example.tier} video")
    return FilmRequest(
        title=f"{one.name}: {place}",
        caption=f"Video {example.video}, rollout {example.rollout}{psnr}.",
        alt=(
            f"Film of {place}, number {example.video}: the truth, what {one.found.model} "
            f"imagined{psnr}, and its slots with their masks"
        ),
        gif=gif,
        group=f"{place[0].upper()}{place[1:]}",
    )
