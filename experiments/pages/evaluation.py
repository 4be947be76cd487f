"""What a page shows of ``evaluate``: tiers, baselines, objects, curves and films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from armillary.experiments.command.console import counted
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.metrics import Metric, metric_of
from armillary.experiments.evaluation.results import RESULTS, Evaluation, Example, Statistics
from armillary.experiments.films.embedded import FilmRequest
from armillary.experiments.pages.charts import Chart, Charts, Line, Look, drawable
from armillary.experiments.pages.conditions import of_evaluation
from armillary.experiments.pages.html import Content
from armillary.experiments.pages.measures import (
    Estimate,
    Measured,
    Measures,
    estimate_of,
)
from armillary.experiments.pages.runs import Run

_BASELINES = {"copy_last_frame": "copying the last frame", "mean_image": "mean image"}
TIERS = {
    "best": "best rollout",
    "mean": "mean over rollouts",
    "median": "median rollout",
    "random": "random rollout",
    "worst": "worst rollout",
}
"""What of the rollouts of a video is taken; chosen for each video by the sum over its frames."""
_LINES = (("best", 1), ("median", 3), ("worst", 2))
_QUIET = {"copy_last_frame": 1, "mean_image": 2}
IMAGINED, FRAMES = "imagined frames", "imagined frames (up to 0: context)"
BANDS = "Means over videos; the bands are 95 % bootstrap intervals."
_PLACES = {
    "best": "the video imagined best",
    "median": "the median video",
    "worst": "the video imagined worst",
}


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
    masks = [(name, estimate_of(stats)) for name, stats in objects_of(found).items()]
    highlights = [
        (known(name).text(estimate.value), f"{known(name).heading}, {what}")
        for names, estimates, what in (
            (("psnr", "ssim"), best, f"best of {found.rollouts}"),
            (("fg_ari", "mean_iou"), masks, IMAGINED),
        )
        for name, estimate in estimates
        if name in names and estimate is not None
    ]
    charts = _charts_of_one(one)
    data = [(k, v) for k, v in found.data.model_dump(exclude_none=True).items() if _plain(v)]
    view = {
        "tables": [_tiers(one), *_object_tables(one), *_diversity_tables(one)],
        "curves": BANDS,
        "charts": Charts(charts),
        "data": [(name.replace("_", " "), str(value)) for name, value in data],
        "videos": counted(found.videos, "video"),
        "quantiles": [(one.metric(name), tiers) for name, tiers in found.metrics.items()],
        "tiers": TIERS,
    }
    return Content(
        "evaluation.html.j2",
        view,
        f"{found.model}: {of_evaluation(found).text}.",
        highlights,
        [_film(one, index, example) for index, example in enumerate(found.examples)],
        gallery=True,
    )


def row_of(
    name: str,
    columns: Sequence[str],
    stats: Mapping[str, Statistics],
    look: Look | None = None,
    note: str = "",
) -> Measured:
    """A row of a table: the statistics of each column."""
    return Measured(name, [estimate_of(stats.get(column)) for column in columns], look, note)


def baseline_rows(one: Evaluated, columns: Sequence[str]) -> list[Measured]:
    """The rows of what a model has to beat."""
    baselines = one.found.baselines.items()
    return [row_of(_BASELINES.get(n, n), columns, stats, note="baseline") for n, stats in baselines]


def _tiers(one: Evaluated) -> Measures:
    found, names = one.found, list(one.found.metrics)
    rows = [row_of(words, names, of_tier(found, tier)) for tier, words in TIERS.items()]
    rows = [line for line in rows if any(line.values)] + baseline_rows(one, names)
    title = f"Imagined frames, means over {counted(found.videos, 'video')} with 95 % intervals"
    return Measures(title, "Rollouts", [one.metric(name) for name in names], rows)


def _object_tables(one: Evaluated) -> list[Measures]:
    objects = one.found.objects
    if objects is None or not objects.measures:
        return []
    names = list(objects.measures)
    contexts = {name: stats.context for name, stats in objects.measures.items()}
    rows = [row_of("context frames", names, contexts), row_of(IMAGINED, names, objects.measures)]
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
    row = row_of(
        f"{counted(one.found.rollouts, 'rollout')} of each video", names, one.found.diversity
    )
    return [Measures("Diversity of the rollouts", "Of", [one.metric(n) for n in names], [row])]


def _charts_of_one(one: Evaluated) -> list[Chart]:
    charts, horizon = [], one.found.horizon
    for name, tiers in one.found.metrics.items():
        lines = [
            line
            for tier, color in _LINES
            if tier in tiers and (line := line_of(TIERS[tier], tiers[tier], horizon, (color, 0)))
        ]
        lines += baseline_lines(one, name)
        charts += [Chart(one.metric(name).heading, IMAGINED, lines, legend=True)] if lines else []
    lines = [
        line
        for color, (name, stats) in enumerate(objects_of(one.found).items(), 1)
        if (line := line_of(one.metric(name).heading, stats, horizon, (color, 0)))
    ]
    return [*charts, Chart("Objects", FRAMES, lines, legend=True)] if lines else charts


def baseline_lines(one: Evaluated, metric: str) -> list[Line]:
    """The quiet lines of what a model has to beat."""
    found = [
        line_of(
            _BASELINES.get(n, n), stats[metric], one.found.horizon, (0, _QUIET.get(n, 3)), False
        )
        for n, stats in one.found.baselines.items()
        if metric in stats
    ]
    return [line for line in found if line]


def line_of(
    name: str, stats: Statistics, horizon: int, look: Look, banded: bool = True
) -> Line | None:
    """Values by frame, 1 being the first imagined one; None where none is known."""
    first = 1 + horizon - len(stats.per_frame)
    points = [(float(first + i), v) for i, v in enumerate(stats.per_frame) if drawable(v)]
    pairs = zip(stats.per_frame_ci95, stats.per_frame, strict=False)
    limits = [limit for limit, value in pairs if drawable(value)]
    band = [
        (limit[0], limit[1])
        for limit in limits
        if limit is not None and drawable(limit[0]) and drawable(limit[1])
    ]
    color, dash = look
    whole = band if banded and len(band) == len(points) else []
    return Line(name, points, color, dash, whole) if points else None


def of_tier(found: Evaluation, tier: str) -> dict[str, Statistics]:
    """The statistics of one tier, by metric."""
    return {name: tiers[tier] for name, tiers in found.metrics.items() if tier in tiers}


def objects_of(found: Evaluation) -> Mapping[str, Statistics]:
    """The statistics of masks by metric; empty for data without any."""
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
