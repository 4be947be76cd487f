"""Summarises an evaluation: tiers of rollouts, quantiles and bootstrap intervals over videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.experiments.evaluation.videos import BASELINES, OBJECTS, Scores
from armillary.seeds import OfVideo, video_seed
from armillary.world_models.metrics import RECALL_THRESHOLDS

TIERS = ("best", "median", "random", "worst", "mean")
METRICS = ("psnr", "ssim", "ssim_ref", "lpips", "log_likelihood")
LOWER_IS_BETTER = ("lpips",)
QUANTILES = (5, 50, 95)
RESAMPLES = 2000
_RESAMPLES_AT_ONCE = 100

Matrix = NDArray[np.float64]
"""(V, T): videos and frames."""


def tiers(values: NDArray, metric: str, random: int) -> dict[str, NDArray]:
    """Rollouts of one video by their sum over frames, and the mean of all.

    Args:
        values: (S, T).
        metric: the name of what they measure.
        random: the rollout of the random tier.

    Returns:
        TIER: (T,). The median tier is the lower middle rollout.
    """
    totals = values.sum(1, dtype=np.float64)
    order = np.argsort(-totals if metric in LOWER_IS_BETTER else totals, kind="stable")
    return {
        "best": values[order[-1]],
        "median": values[order[(len(order) - 1) // 2]],
        "random": values[random],
        "worst": values[order[0]],
        "mean": values.mean(0, dtype=np.float64),
    }


def random_rollout(seed: int, video: int, rollouts: int) -> int:
    """The rollout of a video's random tier, the same for every metric."""
    choice = np.random.default_rng(video_seed(seed, video, OfVideo.CHOICE))
    return int(choice.integers(rollouts))


def condense(scores: Scores, video: int, seed: int) -> dict[str, NDArray]:
    """What the summary needs of one video: METRIC/TIER (T,), and whatever has no rollouts."""
    kept: dict[str, NDArray] = {}
    for name, values in scores.items():
        if name in METRICS:
            random = random_rollout(seed, video, len(values))
            kept |= {f"{name}/{t}": v for t, v in tiers(values, name, random).items()}
        else:
            kept[name] = values
    return kept


def summarise(videos: Iterable[Mapping[str, NDArray]], context: int, seed: int) -> dict[str, Any]:
    """The statistics of an evaluation.

    Args:
        videos: what ``condense`` kept of each, V >= 1.
        context: C, the frames of object metrics that were seen.
        seed: of the bootstrap.

    Returns:
        ``metrics``, ``baselines``, ``diversity`` and ``objects`` of the results; not finite
        numbers are None.
    """
    rows: dict[str, list[NDArray]] = {}
    for video in videos:
        for name, values in video.items():
            rows.setdefault(name, []).append(values)
    tables = {name: np.stack(values).astype(np.float64) for name, values in rows.items()}
    used = [metric for metric in METRICS if f"{metric}/mean" in tables]
    gap = tables["ssim/best"] - tables["ssim/worst"]
    return {
        "metrics": {
            metric: {tier: statistics(tables[f"{metric}/{tier}"], seed) for tier in TIERS}
            for metric in used
        },
        "baselines": {
            name: {
                metric: statistics(tables[f"{name}/{metric}"], seed)
                for metric in used
                if f"{name}/{metric}" in tables
            }
            for name in BASELINES
        },
        "diversity": {
            "best_minus_worst_ssim": statistics(gap, seed),
            "spread": statistics(tables["spread"], seed),
        },
        "objects": _objects(tables, context, seed) if "recall" in tables else None,
    }


def statistics(values: Matrix, seed: int) -> dict[str, Any]:
    """Mean, interval and quantiles over videos, of the mean over frames and frame by frame.

    NaN is left out. The interval is the percentile bootstrap's over videos (Efron, 1979), 2,000
    resamples, 95 %; there is none of a single video.

    Args:
        values: (V, T).
        seed: of the resamples, which are the same for every quantity.
    """
    table = np.concatenate([_mean(values, 1)[:, None], values], 1)
    mean, low, high = _mean(table, 0), *_bootstrap(table, seed)
    quantiles = np.full((len(QUANTILES), table.shape[1]), np.nan)
    known = ~np.isnan(table).all(0)
    quantiles[:, known] = np.nanpercentile(table[:, known], QUANTILES, axis=0)
    each = {str(q): row.tolist() for q, row in zip(QUANTILES, quantiles, strict=True)}
    return plain(
        {
            "mean": mean[0],
            "ci95": [low[0], high[0]],
            "quantiles": {name: row[0] for name, row in each.items()},
            "per_frame": mean[1:].tolist(),
            "per_frame_ci95": np.stack([low, high], 1)[1:].tolist(),
            "per_frame_quantiles": {name: row[1:] for name, row in each.items()},
        }
    )


def plain(tree: Any) -> Any:
    """Nested dictionaries and lists with None in the place of NaN and infinity."""
    if isinstance(tree, Mapping):
        return {name: plain(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    return float(tree) if np.isfinite(tree) else None


def _objects(tables: Mapping[str, NDArray], context: int, seed: int) -> dict[str, Any]:
    """Statistics of the imagined frames, those of the context, and all frames one by one."""
    found: dict[str, Any] = {}
    for name in OBJECTS:
        everything = statistics(tables[name], seed)
        found[name] = {
            **statistics(tables[name][:, context:], seed),
            "context": statistics(tables[name][:, :context], seed),
            **{key: everything[key] for key in everything if key.startswith("per_frame")},
        }
    shares = _mean(_mean(tables["recall"][:, context:], 1), 0)
    found["recall_at"] = {
        f"{limit:g}": plain(share) for limit, share in zip(RECALL_THRESHOLDS, shares, strict=True)
    }
    return found


def _mean(values: NDArray, axis: int) -> NDArray:
    """The mean of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    total = np.where(known, values, 0.0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _bootstrap(table: Matrix, seed: int) -> Matrix:
    """(2, T): the 2.5 and 97.5 % percentiles of the means of resampled rows, NaN left out."""
    count, width = table.shape
    if count < 2:
        return np.full((2, width), np.nan)
    rng = np.random.default_rng(seed)
    known = ~np.isnan(table)
    filled = np.where(known, table, 0.0)
    means = []
    for _ in range(0, RESAMPLES, _RESAMPLES_AT_ONCE):
        times = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES_AT_ONCE)
        weights = times @ known.astype(np.float64)
        means.append(np.where(weights > 0, times @ filled / np.maximum(weights, 1), np.nan))
    found = np.concatenate(means)
    bounds = np.full((2, width), np.nan)
    usable = ~np.isnan(found).all(0)
    bounds[:, usable] = np.nanpercentile(found[:, usable], (2.5, 97.5), axis=0)
    return bounds
