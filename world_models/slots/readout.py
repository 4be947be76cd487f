"""Where in the scene slots are, learned from the actions after which one of them alone moved."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from armillary.world_models.model import Losses
from armillary.world_models.slots.state import SlotState, are_present

_MOVED = 0.5
"""How far a slot that has moved is from where it was, in object extents. One whose thing is covered
by another is seen elsewhere, too, but not as far away."""
_SLOPPY = 0.1
"""Errors above which a label is rather wrong than the readout, in deviations of the actions."""


class Readout(nn.Module):
    """The place in the scene of each slot, from what it shows and where it is seen.

    Args:
        content_size: Z.
        place_size: P, the numbers of a place.
        extent: of an object, in image widths.
        width: of the two hidden layers.
    """

    def __init__(self, content_size: int, place_size: int, extent: float, width: int = 128) -> None:
        super().__init__()
        self.extent = extent
        self.net = nn.Sequential(
            nn.Linear(content_size + 2, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, place_size),
        )

    def forward(self, state: SlotState) -> Tensor:
        """States (..., K) -> places (..., K, P), in the deviations of actions from their mean."""
        place = (state.position - 0.5) / self.extent
        return self.net(torch.cat([state.content, place], -1))

    def loss(self, states: SlotState, labels: Labels) -> Losses:
        """Of slots whose places are known; the squared error, of outliers the absolute one.

        Args:
            states: (N, T, ...).
            labels: of the objects, K - 1.
        """
        told = self(states.map(lambda tensor: tensor[:, :, 1:]))
        error = functional.smooth_l1_loss(told, labels.places, reduction="none", beta=_SLOPPY)
        known = labels.known.unsqueeze(-1)
        count = known.sum().clamp_min(1)
        total = (error * known).sum() / count
        apart = ((told - labels.places).abs() * known).sum() / (count * told.shape[-1])
        return Losses(total, {"readout_error": apart.detach()})


@dataclass(frozen=True)
class Labels:
    """What is known of the places of K objects.

    Attributes:
        known: (N, T, K) bool.
        places: (N, T, K, P), where they are known.
    """

    known: Tensor
    places: Tensor

    @classmethod
    def told(cls, states: SlotState, taken: Tensor, put: Tensor | None, extent: float) -> Labels:
        """What actions tell.

        The thing that moved was where it was taken, and is where it was put. It was there since it
        had moved before, and stays there until it moves again.

        Args:
            states: (N, T, ...) of the objects.
            taken: (N, T - 1, P) where the action takes what it moves.
            put: likewise where it puts it, or None.
            extent: of an object, in image widths.
        """
        present = are_present(states.position)
        apart = (states.position[:, 1:] - states.position[:, :-1]).square().sum(-1).sqrt()
        moved = (apart > _MOVED * extent) | ~(present[:, 1:] & present[:, :-1])
        alone = moved & (moved.sum(-1, keepdim=True) == 1) & present[:, 1:] & present[:, :-1]
        steps = moved.shape[1]
        known = torch.zeros_like(present)
        places = taken.new_zeros(*present.shape, taken.shape[-1])
        if put is not None:
            for t in range(steps):
                _keep(known, places, t, t + 1, moved[:, t])
                _write(known, places, t + 1, alone[:, t], put[:, t])
        for t in reversed(range(steps)):
            _keep(known, places, t + 1, t, moved[:, t])
            _write(known, places, t, alone[:, t], taken[:, t])
        return cls(known, places)


def _keep(known: Tensor, places: Tensor, there: int, here: int, moved: Tensor) -> None:
    """What is known at one time and did not move is known at another, if it was not yet."""
    new = known[:, there] & ~moved & ~known[:, here]
    known[:, here] |= new
    places[:, here] = torch.where(new.unsqueeze(-1), places[:, there], places[:, here])


def _write(known: Tensor, places: Tensor, time: int, which: Tensor, told: Tensor) -> None:
    """Slots ``which`` (N, K) are at places (N, P); what was known before stays."""
    new = which & ~known[:, time]
    known[:, time] |= new
    places[:, time] = torch.where(new.unsqueeze(-1), told.unsqueeze(1), places[:, time])
