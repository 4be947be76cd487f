"""Summarises an evaluation: tiers of rollouts, quantiles and bootstrap intervals over videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.experiments.command.stored import Interval
from armillary.experiments.evaluation.metrics import Metric
from armillary.experiments.evaluation.results import (
    Described,
    Objects,
    ObjectStatistics,
    Statistics,
)
from armillary.experiments.evaluation.videos import BASELINES, Scores
from armillary.seeds import OfVideo, video_seed
from armillary.world_models.metrics import RECALL_THRESHOLDS

TIERS = ("best", "median", "random", "worst", "mean")
QUANTILES = (5, 50, 95)
RESAMPLES = 2000
_RESAMPLES_AT_ONCE = 100

Matrix = NDArray[np.float64]
"""(V, T): videos and frames."""


def tiers(values: NDArray, higher_is_better: bool, random: int) -> dict[str, NDArray]:
    """Rollouts of one video by their sum over frames, and the mean of all.

    Args:
        values: (S, T).
        higher_is_better: of what they measure.
        random: the rollout of the random tier.

    Returns:
        TIER: (T,). The median tier is the lower middle rollout.
    """
    totals = values.sum(1, dtype=np.float64)
    order = np.argsort(totals if higher_is_better else -totals, kind="stable")
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


def condense(
    scores: Scores, video: int, seed: int, metrics: Mapping[str, Metric]
) -> dict[str, NDArray]:
    """What the summary needs of one video: METRIC/TIER (T,), and whatever has no rollouts."""
    kept: dict[str, NDArray] = {}
    for name, values in scores.items():
        if name in metrics:
            random = random_rollout(seed, video, len(values))
            higher = metrics[name].higher_is_better is not False
            kept |= {f"{name}/{t}": v for t, v in tiers(values, higher, random).items()}
        else:
            kept[name] = values
    return kept


def summarise(
    videos: Iterable[Mapping[str, NDArray]], context: int, seed: int, metrics: Mapping[str, Metric]
) -> dict[str, Any]:
    """The statistics of an evaluation.

    Args:
        videos: what ``condense`` kept of each, V >= 1.
        context: C, the frames of object metrics that were seen.
        seed: of the bootstrap.
        metrics: the table.

    Returns:
        ``metrics``, ``baselines``, ``diversity``, ``objects`` and ``measures`` of an
        ``Evaluation``.
    """
    rows: dict[str, list[NDArray]] = {}
    for video in videos:
        for name, values in video.items():
            rows.setdefault(name, []).append(values)
    tables = {name: np.stack(values).astype(np.float64) for name, values in rows.items()}
    used = [name for name in metrics if f"{name}/mean" in tables]
    masks = [name for name, metric in metrics.items() if metric.of == "masks" and name in tables]
    gap = tables["ssim/best"] - tables["ssim/worst"]
    diversity = {"best_minus_worst_ssim": gap, "spread": tables["spread"]}
    return {
        "metrics": {
            name: {tier: statistics(tables[f"{name}/{tier}"], seed) for tier in TIERS}
            for name in used
        },
        "baselines": {
            baseline: {
                name: statistics(tables[f"{baseline}/{name}"], seed)
                for name in used
                if f"{baseline}/{name}" in tables
            }
            for baseline in BASELINES
        },
        "diversity": {name: statistics(values, seed) for name, values in diversity.items()},
        "objects": _objects(tables, masks, context, seed) if masks else None,
        "measures": {
            name: Described(
                label=metrics[name].label,
                unit=metrics[name].unit,
                digits=metrics[name].digits,
                higher_is_better=metrics[name].higher_is_better,
            )
            for name in (*used, *masks, *diversity)
        },
    }


def statistics(values: Matrix, seed: int) -> Statistics:
    """Mean, interval and quantiles over videos, of the mean over frames and frame by frame.

    NaN is left out. The interval is the percentile bootstrap's over videos (Efron, 1979), 2,000
    resamples, 95 %; there is none of a single video.

    Args:
        values: (V, T).
        seed: of the resamples, which are the same for every quantity.
    """
    table = np.concatenate([_mean(values, 1)[:, None], values], 1)
    mean, (low, high) = _mean(table, 0), _bootstrap(table, seed)
    quantiles = np.full((len(QUANTILES), table.shape[1]), np.nan)
    known = ~np.isnan(table).all(0)
    quantiles[:, known] = np.nanpercentile(table[:, known], QUANTILES, axis=0)
    intervals: list[Interval | None] = list(zip(_plain(low), _plain(high), strict=True))
    each = {str(q): _plain(row) for q, row in zip(QUANTILES, quantiles, strict=True)}
    return Statistics(
        mean=_plain(mean)[0],
        ci95=intervals[0],
        quantiles={name: row[0] for name, row in each.items()},
        per_frame=_plain(mean)[1:],
        per_frame_ci95=intervals[1:],
        per_frame_quantiles={name: row[1:] for name, row in each.items()},
    )


def _plain(values: NDArray) -> list[float | None]:
    """Numbers with None in the place of NaN and infinity."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _objects(
    tables: Mapping[str, NDArray], names: Sequence[str], context: int, seed: int
) -> Objects:
    """Statistics of the imagined frames, those of the context, and all frames one by one."""
    found: dict[str, ObjectStatistics] = {}
    for name in names:
        every, seen, imagined = (
            statistics(table, seed)
            for table in (tables[name], tables[name][:, :context], tables[name][:, context:])
        )
        found[name] = ObjectStatistics(
            context=seen,
            mean=imagined.mean,
            ci95=imagined.ci95,
            quantiles=imagined.quantiles,
            per_frame=every.per_frame,
            per_frame_ci95=every.per_frame_ci95,
            per_frame_quantiles=every.per_frame_quantiles,
        )
    shares = _plain(_mean(_mean(tables["recall"][:, context:], 1), 0))
    by_threshold = zip(RECALL_THRESHOLDS, shares, strict=True)
    return Objects(recall_at={f"{limit:g}": share for limit, share in by_threshold}, **found)


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
