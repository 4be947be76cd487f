"""Reads the validation curves of a training run from its TensorBoard log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from armillary.experiments.pages.charts import Chart, Line

Points = list[tuple[float, float]]

_CHARTS: tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...] = (
    (
        "Imagined frames: PSNR (dB)",
        (("imagined", "open_loop_psnr", 1), ("copying", "copy_psnr", 0)),
    ),
    (
        "Segmentation of the objects: FG-ARI",
        (("context", "context_ari", 2), ("imagined", "open_loop_ari", 1)),
    ),
)
_STAGE = "run/stage"


def training_charts(directory: Path) -> list[Chart]:
    """What validation said over the steps of a run; charts without data are left out.

    Args:
        directory: of the TensorBoard log.
    """
    log = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    log.Reload()
    known = set(log.Tags()["scalars"])

    def points(tag: str) -> Points:
        return [(event.step, event.value) for event in log.Scalars(tag)] if tag in known else []

    charts = []
    for title, series in _CHARTS:
        found = [(name, points(f"validation/{tag}"), color) for name, tag, color in series]
        lines = [Line(name, values, color) for name, values, color in found if values]
        if lines:
            marks = _starts(points(_STAGE))
            note = "dotted: the next stage of training begins" if marks else ""
            charts.append(Chart(title, "optimiser steps", lines, marks, note))
    return charts


def _starts(stages: Sequence[tuple[float, float]]) -> list[tuple[float, str]]:
    """The steps at which a later stage begins."""
    pairs = pairwise(stages)
    return [(now[0], f"stage {int(now[1]) + 1}") for last, now in pairs if now[1] > last[1]]
