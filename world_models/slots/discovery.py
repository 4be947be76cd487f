"""What slots are discovered by: frames are made of them again, and masks show what they see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from armillary.world_models.model import Losses
from armillary.world_models.slots.state import SlotState
from armillary.world_models.state import Scene

_LEAST = 1e-6


@dataclass(frozen=True)
class Discovery:
    """The evidence lower bound of frames under slots, and a loss of masks beside it.

    Attributes:
        decoder: contents and positions of sampled slots -> scenes.
        std: (Z,) with which contents are sampled.
        pixel_std: of the pixel likelihood.
        mask_weights: of ``mask_loss``, at first and at last.
        mask_steps: in which the one falls linearly to the other.
    """

    decoder: Callable[[Tensor, Tensor], Scene]
    std: Tensor
    pixel_std: float
    mask_weights: Sequence[float]
    mask_steps: int

    def loss(
        self, frames: Tensor, states: SlotState, attention: Tensor, step: int | Tensor
    ) -> Losses:
        """Of frames (N, T, 3, H, W), their states (N, T, ...) and attention (N, T, K, L)."""
        content = states.content
        sample = content + self.std * torch.randn_like(content)
        scene = self.decoder(sample.flatten(0, 1), states.position.flatten(0, 1))
        error = (scene.frames - frames.flatten(0, 1)).square().sum((-1, -2, -3)).mean()
        kl = 0.5 * (content.square() + self.std.square() - 1.0) - self.std.log()
        kl = kl.sum((-1, -2)).mean()
        total = error / (2.0 * self.pixel_std**2) + kl
        terms = {"squared_error": error.detach(), "kl": kl.detach()}
        if any(self.mask_weights):
            masks = mask_loss(scene.masks, attention.flatten(0, 1))
            total = total + falling(self.mask_weights, self.mask_steps, step) * masks
            terms["masks"] = masks.detach()
        return Losses(total, terms)


def mask_loss(masks: Tensor, attention: Tensor) -> Tensor:
    """Cross-entropy of decoded masks to what slots attend to, summed over tokens: ().

    The attention is the target and gets no gradient: where it finds things before anything is
    learned, as by their colour, the decoder is told at once what to draw where.

    Args:
        masks: (N, K, 1, H, W), summing to 1 over K.
        attention: (N, K, L), likewise, of tokens on a square grid.
    """
    side = round(attention.shape[-1] ** 0.5)
    seen = F.avg_pool2d(masks.squeeze(2), masks.shape[-1] // side).flatten(2)
    return -(attention.detach() * seen.clamp_min(_LEAST).log()).sum((1, 2)).mean()


def falling(weights: Sequence[float], steps: int, step: int | Tensor) -> float | Tensor:
    """A weight that goes linearly from the first to the last within so many steps."""
    first, last = weights
    done = step / steps
    done = done.clamp(max=1.0) if isinstance(done, Tensor) else min(1.0, done)
    return first + (last - first) * done
