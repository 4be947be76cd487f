"""How well a model reconstructs a context and imagines what follows, on held-out clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.imagine import Imaginer
from armillary.world_models.metrics import adjusted_rand_index, psnr
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.simulator import View
from armillary.world_models.state import Scene

HORIZONS = (1, 2, 5, 10, 15, 20)
"""Imagined steps that get a metric of their own."""
PSNR_LIMIT = 20 * math.log10(2 * 255)
"""54.2 dB: half a grey level of 8-bit frames. Still scenes, copied exactly, would give inf."""


@dataclass(frozen=True)
class OpenLoopQuality:
    """Quality of N clips, frame by frame: C frames of context, then H imagined ones.

    Attributes:
        context_psnr: (N, C) dB, reconstructed context against the true frames.
        open_loop_psnr: (N, H) dB, imagined frames against the true ones.
        copy_psnr: (N, H) dB, the last frame of the context against the true ones: the floor.
        context_ari: (N, C) FG-ARI of the masks; NaN where the data has no labels.
        open_loop_ari: (N, H) FG-ARI of the imagined masks; NaN likewise.
    """

    context_psnr: Tensor
    open_loop_psnr: Tensor
    copy_psnr: Tensor
    context_ari: Tensor
    open_loop_ari: Tensor

    @classmethod
    def cat(cls, parts: Sequence[OpenLoopQuality]) -> OpenLoopQuality:
        """The quality of several batches of clips together."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def metrics(self) -> dict[str, float]:
        """Means over clips and frames by field name, and ``FIELD/h`` after h imagined steps.

        FG-ARI is averaged where it is defined, and left out where the data has no labels.
        """
        values: dict[str, Tensor] = {}
        for field in fields(self):
            values[field.name] = getattr(self, field.name)
            if not field.name.startswith("context"):
                steps = values[field.name].shape[1]
                for horizon in [h for h in HORIZONS if h <= steps]:
                    values[f"{field.name}/{horizon}"] = values[field.name][:, horizon - 1]
        # A PSNR that is NaN is an imagination gone wrong, and must show.
        return {
            name: float(value.nanmean() if "ari" in name else value.mean())
            for name, value in values.items()
            if not ("ari" in name and value.isnan().all())
        }


def predict(
    model: WorldModel, window: Window, context_length: int, precision: str = "float32"
) -> Scene:
    """Filters a context, then imagines the rest under the true actions, without noise.

    Args:
        model: on the window's device, in evaluation mode.
        window: N clips of T frames.
        context_length: C, 1 <= C < T.
        precision: see ``Imaginer``.

    Returns:
        Scenes of all frames, leading dimensions (N, T).

    Raises:
        ArmillaryError: nothing is left to imagine.
    """
    if not 1 <= context_length < window.length:
        raise ArmillaryError(
            f"context_length must be in 1..{window.length - 1} for clips of {window.length} "
            f"frames, got {context_length}"
        )
    core, context = Imaginer(model, precision), window.start(context_length)
    with torch.no_grad():
        seen = core.filter(context.frames, context.actions, context.previous)
        imagined = core.rollout(
            seen.map(lambda tensor: tensor[:, -1]), window.actions[:, context_length - 1 :]
        )
        states = type(seen).cat([seen, imagined], dim=1)
        return View(states.flatten(2), window.frames.shape[:2], core).scene


def measure(window: Window, scene: Scene, context_length: int) -> OpenLoopQuality:
    """Compares what ``predict`` returned with what happened. The result is on the CPU."""
    truth, frames = window.frames, scene.frames.float()
    copied = truth[:, context_length - 1 : context_length].expand_as(truth[:, context_length:])
    psnrs = (
        psnr(frames[:, :context_length], truth[:, :context_length]),
        psnr(frames[:, context_length:], truth[:, context_length:]),
        psnr(copied, truth[:, context_length:]),
    )
    ari = torch.full(truth.shape[:2], torch.nan)
    if window.labels.numel():
        ari = adjusted_rand_index(window.labels.cpu(), scene.labels.cpu()).float()
    return OpenLoopQuality(
        *(values.clamp_max(PSNR_LIMIT).cpu() for values in psnrs),
        context_ari=ari[:, :context_length],
        open_loop_ari=ari[:, context_length:],
    )


def evaluate_open_loop(
    model: WorldModel, window: Window, context_length: int, batch_size: int = 32
) -> OpenLoopQuality:
    """``predict`` and ``measure``, a few clips at a time.

    Args:
        model: on any device; it is left in evaluation or training mode, as it was.
        window: N clips of T frames, on any device.
        context_length: C, 1 <= C < T.
        batch_size: clips in memory at a time.

    Raises:
        ArmillaryError: nothing is left to imagine.
    """
    device, training = model.action_mean.device, model.training
    model.eval()
    parts: list[OpenLoopQuality] = []
    for start in range(0, len(window.frames), batch_size):
        rows = slice(start, start + batch_size)
        part = window.index(rows).to(device)
        parts.append(measure(part, predict(model, part, context_length), context_length))
    model.train(training)
    return OpenLoopQuality.cat(parts)
