"""What is known of slots from their seeds, before anything is learned: colours, and presence."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from armillary.world_models.blocks.initializer import Seeds

_BLIND = -1e4
"""The logit of what is not attended to; half precision has room for it."""
_DARK = 0.1
"""The brightness below which hues fade."""
_MOST = 20.0
"""By which something is less the background at most; it is never less likely than that."""


def hues(frames: Tensor, brightness: float) -> Tensor:
    """Frames (N, 3, H, W) as the eye tells surfaces apart: (N, 4, H, W), hues and brightness.

    Colours over their brightness are alike on all sides of a thing, however they are lit.

    Args:
        frames: in [0, 1].
        brightness: weight of a difference of brightness beside those of hues.
    """
    mean = frames.mean(1, keepdim=True)
    return torch.cat([(frames - mean) / (mean + _DARK), 3**0.5 * brightness * mean], 1)


def presence(seeds: Seeds, absent: float) -> Tensor:
    """(N, K) bool: which seeds lie at least ``absent`` apart from all earlier ones."""
    return seeds.apart >= absent


def affinity(frames: Tensor, seeds: Seeds, side: int, weight: float, present: Tensor) -> Tensor:
    """How alike tokens and seeds are in colour, as logits of attention.

    Args:
        frames: (N, C, H, W), colours or ``hues``.
        seeds: of them.
        side: of the grid of tokens.
        weight: of a squared distance of colours.
        present: (N, K) bool; the other slots attend to nothing.

    Returns:
        (N, K, L), at most 0.
    """
    tokens = F.avg_pool2d(frames, frames.shape[-1] // side).flatten(2)
    apart = (seeds.colors.unsqueeze(-1) - tokens.unsqueeze(1)).square().sum(2)
    return (-weight * apart).masked_fill(~present.unsqueeze(-1), _BLIND)


def unlikeness(frames: Tensor, behind: Tensor, side: int, weight: float) -> Tensor:
    """How alike tokens are to what is seen at their place where there is no thing, as logits.

    Args:
        frames: (N, C, H, W), colours or ``hues``.
        behind: (1, C, H, W) of the background alone.
        side: of the grid of tokens.
        weight: of a squared distance of colours.

    Returns:
        (N, L), at most 0.
    """
    apart = F.avg_pool2d(frames - behind, frames.shape[-1] // side).square().sum(1)
    return -(weight * apart).clamp(max=_MOST).flatten(1)
