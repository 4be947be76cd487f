"""Shows the results of an evaluation on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from armillary.experiments.command.console import results as console
from armillary.experiments.evaluation.summary import TIERS
from armillary.experiments.evaluation.videos import BASELINES, OBJECTS

UNITS = {"psnr": "PSNR, dB", "ssim": "SSIM", "ssim_ref": "SSIM, range 2", "lpips": "LPIPS"}
UNITS |= {"log_likelihood": "log-likelihood"}
NAMES = {
    "copy_last_frame": "copy",
    "mean_image": "mean image",
    "fg_ari": "FG-ARI",
    "ari": "ARI",
    "mean_iou": "mean IoU",
    "average_recall": "average recall",
    "best_minus_worst_ssim": "SSIM, best - worst",
    "spread": "spread of pixels",
}


def show(found: Mapping[str, Any]) -> None:
    """Prints means over videos and frames with their 95 % intervals.

    Args:
        found: what ``results.json`` holds.
    """
    title = f"{found['videos']} videos, {found['rollouts']} rollouts of {found['horizon']} frames"
    accuracy = Table(title=f"{title} after {found['context']}, seed {found['seed']}")
    accuracy.add_column("rollout")
    for metric in found["metrics"]:
        accuracy.add_column(UNITS[metric], justify="right")
    rows = {tier: {m: tiers[tier] for m, tiers in found["metrics"].items()} for tier in TIERS}
    for name, by_metric in {
        **rows,
        **{name: found["baselines"][name] for name in BASELINES},
    }.items():
        cells = (_cell(by_metric.get(metric)) for metric in found["metrics"])
        accuracy.add_row(NAMES.get(name, name), *cells)
    console.print(accuracy)
    rest = Table("metric", "imagined", "context")
    for name, statistics in found["diversity"].items():
        rest.add_row(NAMES[name], _cell(statistics), "-")
    for name in OBJECTS if found["objects"] else ():
        statistics = found["objects"][name]
        rest.add_row(NAMES[name], _cell(statistics), _cell(statistics["context"]))
    console.print(rest)


def _cell(statistics: Mapping[str, Any] | None) -> str:
    if statistics is None or statistics["mean"] is None:
        return "-"
    low, high = statistics["ci95"]
    size = abs(statistics["mean"])
    digits = 0 if size >= 1000 else 2 if size >= 2 else 3
    interval = "" if low is None else f"\n{low:.{digits}f} to {high:.{digits}f}"
    return f"{statistics['mean']:.{digits}f}{interval}"
