"""A cost: how far the centre of what is bright is from where the goal image shows it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from armillary import Goal, Rollout
from armillary.plugins import register


@register("cost", "example_plugin")
@dataclass(frozen=True)
class Brightness:
    """Squared distance of the centres of brightness, in squared image widths.

    Args:
        sharpness: the power of the brightness that pixels are weighted by.
    """

    sharpness: float = 2.0

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """A rollout of shape (B, S, P, T) and B goals -> (B, S, P, T)."""
        target = self._centre(goal.view.frames)[:, None, None, None]
        return (self._centre(rollout.frames) - target).square().sum(-1)

    def _centre(self, frames: Tensor) -> Tensor:
        """(..., 3, H, W) -> (..., 2): x and y in [0, 1]."""
        weights = frames.mean(-3) ** self.sharpness
        size = weights.shape[-1]
        places = (torch.arange(size, device=frames.device) + 0.5) / size
        total = weights.sum((-1, -2)).clamp_min(1e-6)
        across, down = (weights.sum(-2) * places).sum(-1), (weights.sum(-1) * places).sum(-1)
        return torch.stack([across / total, down / total], -1)
