"""Plots an evaluation frame by frame, as PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from armillary.experiments import palette
from armillary.experiments.evaluation.metrics import metric_of
from armillary.experiments.evaluation.results import Evaluation, Statistics
from armillary.experiments.evaluation.summary import TIERS
from armillary.experiments.evaluation.table import BASELINES
from armillary.files import write_bytes

_COLORS = {
    "best": palette.BLUE,
    "median": palette.GREEN,
    "random": palette.PURPLE,
    "worst": palette.VERMILION,
    "mean": palette.BLACK,
    "copy_last_frame": palette.MUTED,
    "mean_image": palette.PALE,
    "fg_ari": palette.BLUE,
    "ari": palette.SKY,
    "mean_iou": palette.VERMILION,
    "average_recall": palette.GREEN,
}
_CONTEXT = palette.hexadecimal(palette.CONTEXT)
_STYLES = {"copy_last_frame": "--", "mean_image": ":"}
_BANDS = ("best", "worst", "fg_ari", "mean_iou")
"""Curves that show how far apart videos are; more bands would hide each other."""


def write_plots(found: Evaluation, folder: Path) -> None:
    """Writes ``METRIC.png`` and ``METRIC.pdf``, and ``objects`` where masks were compared.

    Args:
        found: the evaluation.
        folder: made if it is not there.
    """
    folder.mkdir(exist_ok=True)
    frames = range(found.context + 1, found.context + found.horizon + 1)
    shown = TIERS if found.rollouts > 1 else ("mean",)
    for name, by_tier in found.metrics.items():
        figure, axes = _canvas(metric_of(name, found.table).heading)
        for tier in shown:
            band = tier in _BANDS or len(shown) == 1
            _curve(axes, tier if len(shown) > 1 else "rollout", tier, frames, by_tier[tier], band)
        for baseline, by_metric in found.baselines.items():
            if name in by_metric:
                label = BASELINES.get(baseline, baseline)
                _curve(axes, label, baseline, frames, by_metric[name], False)
        _save(figure, axes, folder / name)
    if found.objects:
        figure, axes = _canvas("masks against the true ones")
        everything = range(1, found.context + found.horizon + 1)
        for name, curve in found.objects.measures.items():
            label = metric_of(name, found.table).label
            _curve(axes, label, name, everything, curve, name in _BANDS)
        axes.axvspan(0.5, found.context + 0.5, color=_CONTEXT, alpha=0.07, lw=0)
        axes.text(
            0.55, 1.01, "context", transform=axes.get_xaxis_transform(), color=_CONTEXT, size=8
        )
        axes.set_xlim(0.5, everything[-1] + 0.5)
        _save(figure, axes, folder / "objects")


def _canvas(label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel("frame")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=palette.hexadecimal(palette.RULE), lw=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _curve(
    axes: Axes,
    label: str,
    kind: str,
    frames: Sequence[int],
    statistics: Statistics,
    band: bool,
) -> None:
    """The mean over videos, and where 5 to 95 % of them lie."""
    color = palette.hexadecimal(_COLORS.get(kind, palette.BLACK))
    values = _numbers(statistics.per_frame)
    style = _STYLES.get(kind, "-")
    axes.plot(frames, values, style, color=color, lw=1.8, label=label, marker=".", ms=4)
    if band:
        quantiles = statistics.per_frame_quantiles
        low, high = _numbers(quantiles["5"]), _numbers(quantiles["95"])
        axes.fill_between(frames, low, high, color=color, alpha=0.13, lw=0)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _save(figure: Figure, axes: Axes, stem: Path) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside right center",
        frameon=False,
        fontsize=9,
        title="bands: 5-95 % of videos",
        title_fontsize=7,
    )
    for kind in ("png", "pdf"):
        metadata = {"CreationDate": None} if kind == "pdf" else None
        whole = BytesIO()
        figure.savefig(whole, format=kind, dpi=160, metadata=metadata)
        write_bytes(stem.with_suffix(f".{kind}"), whole.getvalue())
