"""Shows the results of an evaluation on the terminal."""

from __future__ import annotations

from rich.table import Table

from armillary.experiments.command.console import results as console
from armillary.experiments.evaluation.metrics import Metric, metric_of
from armillary.experiments.evaluation.results import Evaluation, Statistics
from armillary.experiments.evaluation.summary import TIERS

BASELINES = {"copy_last_frame": "copy", "mean_image": "mean image"}
"""What those of an evaluation are called beside its rollouts."""


def show(found: Evaluation) -> None:
    """Prints means over videos and frames with their 95 % intervals."""
    known = found.table
    title = f"{found.videos} videos, {found.rollouts} rollouts of {found.horizon} frames"
    accuracy = Table(title=f"{title} after {found.context}, seed {found.seed}")
    accuracy.add_column("rollout")
    metrics = {name: metric_of(name, known) for name in found.metrics}
    for metric in metrics.values():
        accuracy.add_column(metric.heading, justify="right")
    rows = {tier: {m: tiers.get(tier) for m, tiers in found.metrics.items()} for tier in TIERS}
    for name, by_metric in {**rows, **found.baselines}.items():
        cells = (_cell(metric, by_metric.get(m)) for m, metric in metrics.items())
        accuracy.add_row(BASELINES.get(name, name), *cells)
    console.print(accuracy)
    rest = Table("metric", "imagined", "context")
    for name, statistics in found.diversity.items():
        metric = metric_of(name, known)
        rest.add_row(metric.heading, _cell(metric, statistics), "-")
    for name, statistics in (found.objects.measures if found.objects else {}).items():
        metric = metric_of(name, known)
        cells = (_cell(metric, statistics), _cell(metric, statistics.context))
        rest.add_row(metric.heading, *cells)
    console.print(rest)


def _cell(metric: Metric, statistics: Statistics | None) -> str:
    if statistics is None or statistics.mean is None:
        return "-"
    low, high = statistics.ci95 or (None, None)
    if low is None or high is None:
        return metric.text(statistics.mean)
    return f"{metric.text(statistics.mean)}\n{metric.text(low)} to {metric.text(high)}"
