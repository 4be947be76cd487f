"""What a model makes of one recorded clip: reconstructed, encoded, imagined, and sampled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.world_models.imagine import Imaginer
from armillary.world_models.metrics import psnr
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.state import Scene
from armillary.world_models.validation.open_loop import (
    PSNR_LIMIT,
    OpenLoopQuality,
    measure,
    predict,
)


@dataclass(frozen=True)
class Imagination:
    """One clip of T frames, of which the model saw C; everything on the CPU.

    Attributes:
        frames: (T, 3, H, W) in [0, 1], what happened.
        context_length: C.
        encoded: scenes (T, ...) of a model that saw every frame up to then.
        imagined: scenes (T, ...) of a model that saw C frames: those reconstructed, the others
            imagined without noise.
        samples: (S, T - C, 3, H, W) in [0, 1], imagined with noise.
        quality: of ``imagined``.
    """

    frames: Tensor
    context_length: int
    encoded: Scene
    imagined: Scene
    samples: Tensor
    quality: OpenLoopQuality

    def measures(self) -> dict[str, list[float | None] | list[list[float | None]]]:
        """Per-frame PSNR in dB and FG-ARI; ``None`` where there are no labels to compare with."""
        truth = self.frames[self.context_length :]
        sampled = [psnr(sample, truth).clamp_max(PSNR_LIMIT) for sample in self.samples]
        quality = self.quality
        return {
            "context_psnr": _numbers(quality.context_psnr[0]),
            "imagined_psnr": _numbers(quality.open_loop_psnr[0]),
            "copy_psnr": _numbers(quality.copy_psnr[0]),
            "sample_psnr": [_numbers(row) for row in sampled],
            "context_ari": _numbers(quality.context_ari[0]),
            "imagined_ari": _numbers(quality.open_loop_ari[0]),
        }


def imagine(
    model: WorldModel, window: Window, samples: int, seed: int, precision: str = "float32"
) -> Imagination:
    """Shows a model a clip, and lets it go on alone after its context.

    Args:
        model: on any device, in evaluation mode.
        window: one clip (N = 1) longer than the model's context.
        samples: S, stochastic futures; 0 draws none.
        seed: of their noise.
        precision: see ``Imaginer``.

    Raises:
        ValueError: the clip does not suit the model, or nothing is left to imagine.
    """
    model.check_inputs(window.frames, window.actions)
    device, context = model.action_mean.device, model.context_length
    window = window.to(device)
    actions = window.actions[:, context - 1 :]
    horizon = actions.shape[1]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, horizon, *model.noise_shape, generator=generator).to(device)
    imagined = predict(model, window, context, precision)
    core = Imaginer(model, precision)
    with torch.no_grad():
        posterior = core.filter(window.frames, window.actions, window.previous)
        encoded = core.decode(posterior.flatten(2))
        frames = window.frames.new_zeros(samples, horizon, *window.frames.shape[2:])
        if samples:
            start = posterior.map(lambda tensor: tensor[:, context - 1]).repeat(samples)
            futures = core.rollout(start, actions.expand(samples, -1, -1), noise)
            frames = core.frames(futures.flatten(2)).view_as(frames)
    return Imagination(
        frames=window.frames[0].cpu(),
        context_length=context,
        encoded=encoded.map(Tensor.cpu),
        imagined=imagined.map(lambda tensor: tensor[0].cpu()),
        samples=frames.cpu(),
        quality=measure(window, imagined, context),
    )


def _numbers(values: Tensor) -> list[float | None]:
    return [round(value, 4) if math.isfinite(value) else None for value in values.tolist()]
