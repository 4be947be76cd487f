"""The state of slots that have a place, and what it means that one is absent."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from armillary.world_models.state import LatentState

_PARKED, _OUTSIDE, _HALF = -1.0, -0.75, 0.5


@dataclass(frozen=True)
class SlotState(LatentState):
    """Slots of N scenes.

    Attributes:
        content: (N, K, Z) what each slot shows.
        position: (N, K, 2) where, x and y in [0, 1]; what is absent lies parked outside the image.
        motion: (N, K, 2) the position's change in the last step.
        found: (N, K) 1 where the last frame showed it, 0 where it is remembered from before; by
            default ones.
    """

    content: Tensor
    position: Tensor
    motion: Tensor
    found: Tensor = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.found is None:
            object.__setattr__(self, "found", torch.ones_like(self.position[..., 0]))

    @property
    def seen(self) -> Tensor:
        """(N, K) bool: which slots show something that the last frame showed."""
        return are_present(self.position) & (self.found > _HALF)


def parked(position: Tensor, present: Tensor) -> Tensor:
    """Positions (..., K, 2) with those of absent slots, where ``present`` (..., K) is not, parked.

    Nothing of them is seen in the image then.
    """
    return position.masked_fill(~present.unsqueeze(-1), _PARKED)


def are_present(position: Tensor) -> Tensor:
    """(..., K) bool: which slots of positions (..., K, 2) show something."""
    return position[..., 0] > _OUTSIDE
