"""Where in the scene slots are, learned from the actions after which one of them alone moved."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from armillary.world_models.blocks.relational_dynamics import RelationalLayer
from armillary.world_models.model import Losses
from armillary.world_models.slots.state import SlotState, are_present

_MOVED = 0.5
"""How far a slot that has moved is from where it was, in object extents. One whose thing is covered
by another is seen elsewhere, too, but not as far away."""
_SLOPPY = 0.1
"""Errors above which a label is rather wrong than the readout, in deviations of the actions."""


class Readout(nn.Module):
    """The place in the scene of each object, from what its slot shows and where it is seen.

    One image does not tell what is near from what is high, nor the whole of what is covered. With
    ``layers`` objects are told from each other, too: what lies on one says where it stands.

    Args:
        content_size: Z.
        place_size: P, the numbers of a place.
        extent: of an object, in image widths.
        width: of the hidden layers.
        layers: rounds of attention between objects; 0 reads each one by itself.
        heads: attention heads.
    """

    def __init__(
        self,
        content_size: int,
        place_size: int,
        extent: float,
        width: int = 128,
        layers: int = 0,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.extent = extent
        self.layers = nn.ModuleList(RelationalLayer(width, heads) for _ in range(layers))
        self.net = nn.Sequential(
            nn.Linear(content_size + 2, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, place_size),
        )

    def forward(self, state: SlotState) -> Tensor:
        """States (..., K) of objects -> places (..., K, P), in the deviations of actions."""
        place = (state.position - 0.5) / self.extent
        seen = torch.cat([state.content, place], -1)
        if not self.layers:
            return self.net(seen)
        inner, outer = self.net[:-1], self.net[-1]
        return outer(self._related(inner(seen), state.position))

    def of_all(self, state: SlotState) -> Tensor:
        """States (..., K), the background first -> (..., K, P); objects do not hear it."""
        slots, count = state.found.ndim - 1, state.found.shape[-1]
        parts = [
            state.map(lambda tensor, at=at, length=length: tensor.narrow(slots, at, length))
            for at, length in ((0, 1), (1, count - 1))
        ]
        return torch.cat([self(part) for part in parts], -2)

    def _related(self, nodes: Tensor, position: Tensor) -> Tensor:
        """(..., K, W) -> (..., K, W) after the objects that are there have heard each other."""
        *before, slots, width = nodes.shape
        nodes = nodes.reshape(-1, slots, width).transpose(0, 1)
        position = position.reshape(-1, slots, 2)
        place = (position.transpose(0, 1) - 0.5) / self.extent
        distance = (place.unsqueeze(0) - place.unsqueeze(1)).norm(dim=-1)
        for layer in self.layers:
            nodes = layer(nodes, place, [distance], are_present(position).T)
        return nodes.transpose(0, 1).reshape(*before, slots, width)

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
