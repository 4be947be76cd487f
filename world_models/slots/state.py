"""The state of slots that have a place, and what it means that one is absent."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from armillary.world_models.state import LatentState

_PARKED, _OUTSIDE = -1.0, -0.75


@dataclass(frozen=True)
class SlotState(LatentState):
    """Slots of N scenes.

    Attributes:
        content: (N, K, Z) what each slot shows.
        position: (N, K, 2) where, x and y in [0, 1]; what is absent lies parked outside the image.
        motion: (N, K, 2) the position's change in the last step.
    """

    content: Tensor
    position: Tensor
    motion: Tensor


def parked(position: Tensor, present: Tensor) -> Tensor:
    """Positions (..., K, 2) with those of absent slots, where ``present`` (..., K) is not, parked.

    Nothing of them is seen in the image then.
    """
    return position.masked_fill(~present.unsqueeze(-1), _PARKED)


def are_present(position: Tensor) -> Tensor:
    """(..., K) bool: which slots of positions (..., K, 2) show something."""
    return position[..., 0] > _OUTSIDE
