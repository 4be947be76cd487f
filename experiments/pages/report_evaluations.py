"""Reads what ``evaluate`` found: estimates, curves and examples, from the results of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from armillary.experiments.command.errors import UsageError
from armillary.experiments.pages.json_fields import Fields
from armillary.experiments.pages.measures import Estimate, Measure
from armillary.experiments.pages.report_runs import Run

BASELINES = {"copy_last_frame": "copying the last frame", "mean_image": "mean image"}
OBJECTS = ("fg_ari", "ari", "mean_iou", "average_recall")
TIERS = {
    "best": "best rollout",
    "mean": "mean over rollouts",
    "median": "median rollout",
    "random": "random rollout",
    "worst": "worst rollout",
}
"""What of the rollouts of a video is taken; chosen for each video by the sum over its frames."""

_MEASURES = {
    "psnr": Measure("PSNR (dB)", True, 2),
    "ssim": Measure("SSIM", True, 3),
    "ssim_ref": Measure("SSIM (data range 2)", True, 3),
    "lpips": Measure("LPIPS", False, 3),
    "log_likelihood": Measure("Log-likelihood", True, 1),
    "fg_ari": Measure("FG-ARI", True, 3),
    "ari": Measure("ARI", True, 3),
    "mean_iou": Measure("mIoU", True, 3),
    "average_recall": Measure("Average recall", True, 3),
    "best_minus_worst_ssim": Measure("SSIM, best \N{MINUS SIGN} worst", arrow=False),
    "spread": Measure("Spread between rollouts", digits=4, arrow=False),
}


@dataclass(frozen=True)
class Stats:
    """A measure over videos.

    Attributes:
        estimate: its mean with a bootstrap interval; ``None`` if it is not known.
        quantiles: over videos, by their name such as ``5``.
        curve: (frame, value); frame 1 is the first imagined one, frames up to 0 are context.
        band: interval of each point, or empty.
    """

    estimate: Estimate | None
    quantiles: Sequence[tuple[str, float | None]]
    curve: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Example:
    """A film of one video: ``tier`` is its place among all, by the PSNR of its best rollout."""

    tier: str
    video: int
    rollout: int
    psnr: float | None
    gif: Path


@dataclass(frozen=True)
class Evaluation:
    """The results of one run.

    Attributes:
        run: that made them.
        model: its name.
        data: what the model was tested on, names and values.
        videos: V.
        rollouts: S, for each video.
        context: C, frames that the model saw.
        horizon: T, frames that it imagined.
        metrics: statistics by metric and tier.
        baselines: statistics by baseline and metric.
        diversity: statistics by measure.
        objects: statistics by measure, empty for data without masks.
        context_objects: the same estimates in the context frames.
        recall: average recall by threshold of the IoU.
        examples: films.
    """

    run: Run
    model: str
    data: Sequence[tuple[str, str]]
    videos: int
    rollouts: int
    context: int
    horizon: int
    metrics: Mapping[str, Mapping[str, Stats]]
    baselines: Mapping[str, Mapping[str, Stats]]
    diversity: Mapping[str, Stats]
    objects: Mapping[str, Stats]
    context_objects: Mapping[str, Estimate | None]
    recall: Sequence[tuple[str, float | None]]
    examples: Sequence[Example]

    @property
    def protocol(self) -> tuple[str, ...]:
        """What two evaluations must share to be compared."""
        known = dict(self.data)
        data = [
            Path(known["path"]).name,
            *(known.get(key, "") for key in ("split", "episodes", "image_size")),
        ]
        sizes = (self.videos, self.rollouts, self.context, self.horizon)
        return (*data, *map(str, sizes))

    @property
    def setting(self) -> str:
        """The protocol in words."""
        known = dict(self.data)
        return (
            f"{self.videos} videos of {Path(known['path']).name} ({known.get('split', 'all')}), "
            f"{self.rollouts} rollouts each, {self.context} context frames and then "
            f"{self.horizon} imagined ones"
        )


def measure(name: str) -> Measure:
    """How a metric is written; unknown ones have no better direction."""
    return _MEASURES.get(name, Measure(name.replace("_", " "), arrow=False))


def read_evaluation(run: Run, results: Fields) -> Evaluation:
    """The results of a run of ``evaluate``.

    Raises:
        UsageError: something is missing or is not what it should be.
    """
    context, horizon = results["context"].count(), results["horizon"].count()
    metrics = {
        name: {tier: _stats(field, horizon) for tier, field in tiers.table().items()}
        for name, tiers in results["metrics"].table().items()
    }
    if not metrics:
        raise UsageError(f"{results['metrics'].place} must hold at least one metric, got none")
    for name, tiers in metrics.items():
        if "best" not in tiers:
            results["metrics"][name]["best"]
    baselines = {
        name: {metric: _stats(field, horizon) for metric, field in held.table().items()}
        for name, held in results["baselines"].table().items()
    }
    objects = results["objects"]
    held = {} if objects.empty else {k: v for k, v in objects.table().items() if k in OBJECTS}
    recall = objects.get("recall_at") if held else Fields(None, results.file)
    results["data"]["path"].text()
    return Evaluation(
        run=run,
        model=results["model"].text(),
        data=[(k, v.text()) for k, v in results["data"].table().items() if _plain(v)],
        videos=results["videos"].count(),
        rollouts=results["rollouts"].count(),
        context=context,
        horizon=horizon,
        metrics=metrics,
        baselines=baselines,
        diversity={k: _stats(v, horizon) for k, v in results["diversity"].table().items()},
        objects={k: _stats(v, horizon, context) for k, v in held.items()},
        context_objects={k: _estimate(v["context"]) for k, v in held.items()},
        recall=[] if recall.empty else [(k, v.optional()) for k, v in recall.table().items()],
        examples=[_example(run, field) for field in results["examples"].items()],
    )


def _plain(field: Fields) -> bool:
    return not isinstance(field.value, dict | list) and field.value is not None


def _stats(field: Fields, horizon: int, context: int = 0) -> Stats:
    """Statistics; their curve covers the imagined frames, with or without the context before."""
    quantiles = field.get("quantiles")
    shown = [] if quantiles.empty else [(k, v.optional()) for k, v in quantiles.table().items()]
    frames, bands = field.get("per_frame"), field.get("per_frame_ci95")
    values = [] if frames.empty else [item.optional() for item in frames.items()]
    if values and len(values) not in (horizon, horizon + context):
        raise UsageError(
            f"{frames.place} must have one number for each of {horizon} frames, got {len(values)}"
        )
    limits = [] if bands.empty else [item.pair() for item in bands.items()]
    if limits and len(limits) != len(values):
        raise UsageError(f"{bands.place} must have {len(values)} intervals, got {len(limits)}")
    first = 1 + horizon - len(values)
    curve = [(float(first + i), v) for i, v in enumerate(values) if v is not None]
    band = [limit for limit, v in zip(limits, values, strict=False) if v is not None]
    whole = [limit for limit in band if limit is not None]
    return Stats(_estimate(field), shown, curve, whole if len(whole) == len(curve) else [])


def _estimate(field: Fields) -> Estimate | None:
    mean = field["mean"].optional()
    return None if mean is None else Estimate(mean, field.get("ci95").pair())


def _example(run: Run, field: Fields) -> Example:
    gif = run.directory / field["gif"].text()
    if not gif.resolve().is_relative_to(run.directory.resolve()):
        raise UsageError(f"{field['gif'].place} must name a file below {run.directory}, got {gif}")
    return Example(
        tier=field["tier"].text(),
        video=field["video"].count(),
        rollout=field["rollout"].count(),
        psnr=field["psnr"].optional(),
        gif=gif,
    )
