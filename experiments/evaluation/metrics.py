"""The table of metrics: how each is called, written and computed, ours and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from torch import Tensor

from armillary import plugins
from armillary.errors import PluginError
from armillary.world_models.metrics import (
    adjusted_rand_index,
    mean_iou,
    psnr,
    recall,
    similarities,
)
from armillary.world_models.metrics.image import REFERENCE_RANGE
from armillary.world_models.model import WorldModel
from armillary.world_models.state import Scene
from armillary.world_models.validation.open_loop import PSNR_LIMIT

Subject = Literal["frames", "masks", "rollouts", "validation"]


@dataclass(frozen=True)
class Imagined:
    """Imagined frames and what there is to compare them with.

    Attributes:
        frames: (N, R, T, 3, H, W) in [0, 1].
        truth: (N, 1, T, 3, H, W) in [0, 1].
        scene: (N, R, T, ...), whose frames they are; None for a baseline's.
        model: that imagined them.
        lpips: (N, R, T, 3, H, W) twice -> (N, R, T), if the user gave a network.
    """

    frames: Tensor
    truth: Tensor
    scene: Scene | None
    model: WorldModel
    lpips: Callable[[Tensor, Tensor], Tensor] | None

    @cached_property
    def similarities(self) -> tuple[Tensor, ...]:
        """SSIM of data range 1 and 2, (N, R, T) each: both from the same local statistics."""
        return tuple(similarities(self.frames, self.truth, (1.0, REFERENCE_RANGE)))


@dataclass(frozen=True)
class Segments:
    """Segmentations: true and predicted labels, (N, L, H, W) each."""

    true: Tensor
    pred: Tensor

    @cached_property
    def recall(self) -> Tensor:
        """(N, L, R): the share of objects whose overlap reaches each threshold."""
        return recall(self.true, self.pred)


@dataclass(frozen=True)
class Metric:
    """An entry of the table.

    Attributes:
        label: what people call it.
        unit: of its values, or empty.
        digits: after the point.
        higher_is_better: None where no direction is better.
        function: from ``Imagined`` to (N, R, T), or None where it does not apply; from ``Segments``
            to (N, L). None for what others compute.
        of: ``frames`` (one number per rollout and frame), ``masks`` (per frame), ``rollouts``
            (of all rollouts of a video) or ``validation`` (by the trainer).
    """

    label: str
    unit: str = ""
    digits: int = 3
    higher_is_better: bool | None = None
    function: Callable[[Any], Tensor | None] | None = None
    of: Subject = "frames"

    @property
    def heading(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def text(self, value: float) -> str:
        """A value as people read it."""
        return f"{value:.{self.digits}f}".replace("-", "\N{MINUS SIGN}")


def _likelihood(seen: Imagined) -> Tensor | None:
    if seen.scene is None:
        return None
    flat = seen.scene.map(lambda tensor: tensor.flatten(0, 2))
    truth = seen.truth.expand_as(seen.frames).flatten(0, 2)
    return seen.model.log_likelihood(flat, truth).unflatten(0, seen.frames.shape[:3])


def _lpips(seen: Imagined) -> Tensor | None:
    return seen.lpips and seen.lpips(seen.frames, seen.truth.expand_as(seen.frames))


def _fg_ari(segments: Segments) -> Tensor:
    return adjusted_rand_index(segments.true, segments.pred)


def _ari(segments: Segments) -> Tensor:
    return adjusted_rand_index(segments.true, segments.pred, foreground=False)


METRICS: dict[str, Metric] = {
    "psnr": Metric(
        label="PSNR",
        unit="dB",
        digits=2,
        higher_is_better=True,
        function=lambda seen: psnr(seen.frames, seen.truth).clamp_max(PSNR_LIMIT),
    ),
    "ssim": Metric("SSIM", "", 3, True, lambda seen: seen.similarities[0]),
    "ssim_ref": Metric("SSIM, data range 2", "", 3, True, lambda seen: seen.similarities[1]),
    "lpips": Metric("LPIPS", "", 3, False, _lpips),
    "log_likelihood": Metric("Log-likelihood", "nats", 1, True, _likelihood),
    "fg_ari": Metric("FG-ARI", "", 3, True, _fg_ari, of="masks"),
    "ari": Metric("ARI", "", 3, True, _ari, of="masks"),
    "mean_iou": Metric("mIoU", "", 3, True, lambda seg: mean_iou(seg.true, seg.pred), of="masks"),
    "average_recall": Metric(
        "Average recall", "", 3, True, lambda seg: seg.recall.mean(-1), of="masks"
    ),
    "best_minus_worst_ssim": Metric("SSIM, best \N{MINUS SIGN} worst", of="rollouts"),
    "spread": Metric("Spread between rollouts", digits=4, of="rollouts"),
    "open_loop_psnr": Metric("PSNR imagined", "dB", 2, True, of="validation"),
    "context_psnr": Metric("PSNR context", "dB", 2, True, of="validation"),
    "copy_psnr": Metric("PSNR copying", "dB", 2, of="validation"),
    "open_loop_ari": Metric("FG-ARI imagined", "", 3, True, of="validation"),
    "context_ari": Metric("FG-ARI context", "", 3, True, of="validation"),
}
"""What this project measures; a metric is one entry here, or one of a plug-in."""

_TAKEN = {"recall", "episodes"}
"""Arrays of an evaluation that are no metrics."""


def table() -> dict[str, Metric]:
    """Every metric by name: ours, then those of plug-ins.

    Raises:
        PluginError: a plug-in's has the name of one of ours.
    """
    found = dict(METRICS)
    for name, entry in plugins.registered("metric").items():
        if name in METRICS or name in _TAKEN:
            raise PluginError(f"the metric name {name!r} of {entry.path} is taken; choose another")
        thing = entry.thing
        described = (thing.label, thing.unit, thing.digits, thing.higher_is_better)
        found[name] = Metric(*described, function=_of_frames(name, thing))
    return found


def chosen(subject: Subject) -> dict[str, Metric]:
    """The metrics of one subject by name, in the order of the table."""
    return {name: metric for name, metric in table().items() if metric.of == subject}


def metric_of(name: str, known: Mapping[str, Metric] = METRICS) -> Metric:
    """How a metric is written; one that is not known has its name, and no better direction."""
    return known.get(name) or Metric(name.replace("_", " "))


def _of_frames(
    name: str, function: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[Imagined], Tensor]:
    """A plug-in's function of two sets of frames as one of what was imagined; shapes are checked.

    Raises:
        PluginError: when called: it does not return one number for every frame.
    """

    def measure(seen: Imagined) -> Tensor:
        found = function(seen.frames, seen.truth)
        if found.shape != seen.frames.shape[:3]:
            raise PluginError(
                f"the metric {name!r} must return one number for every frame, "
                f"{tuple(seen.frames.shape[:3])}, got {tuple(found.shape)}"
            )
        return found

    return measure
