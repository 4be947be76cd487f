"""Recorded episodes as slots and actions, and what was done in those that were most alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.proposals.query import Query
from armillary.world_models.assignment import least_total

_NUMBERS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Recorded:
    """N episodes of T frames. Slots keep their identity through an episode.

    Attributes:
        slots: (N, T, K, D).
        actions: (N, T - 1, A).
        objects: (N, K) float32; 1 for things that can be placed.
        effector: (N, K) float32; 1 for what the actions move directly.

    Raises:
        ArmillaryError: there is no episode, or none with an action.
    """

    slots: Tensor
    actions: Tensor
    objects: Tensor
    effector: Tensor

    def __post_init__(self) -> None:
        if self.actions.numel() == 0:
            raise ArmillaryError(
                "recorded episodes must hold at least one action, got "
                f"{len(self.actions)} episodes of {self.slots.shape[1]} frames with actions of "
                f"size {self.actions.shape[-1]}"
            )

    def map(self, function: Callable[[Tensor], Tensor]) -> Recorded:
        """Applies ``function`` to every tensor."""
        return Recorded(*map(function, (self.slots, self.actions, self.objects, self.effector)))

    def nearest(self, query: Query, count: int, horizon: int, idle: Tensor) -> Tensor:
        """What led from slots alike to goals alike.

        Each episode takes part with the two moments, at most ``horizon`` steps apart, of which the
        first is most like the present and the second most like the goal: those with the least sum
        of squared distances when every slot takes the nearest one. Episodes are then ordered by the
        same sum under the best one-to-one assignment of their slots.

        Args:
            query: B problems with K slots.
            count: E, of episodes; fewer where there are not so many.
            horizon: T, steps of what is returned.
            idle: (A,), what follows where the second moment is reached before.

        Returns:
            (B, E, T, A), the most alike first.

        Raises:
            ArmillaryError: the query has another number of slots.
        """
        if query.slots.shape[1:] != self.slots.shape[2:]:
            raise ArmillaryError(
                f"recorded scenes have slots {tuple(self.slots.shape[2:])}, these have "
                f"{tuple(query.slots.shape[1:])}; retrieval needs as many slots as were recorded"
            )
        numbers = self.slots[..., 0].numel() * self.slots.shape[2]
        size = max(1, _NUMBERS_AT_ONCE // numbers)
        rows = [slice(first, first + size) for first in range(0, len(query.slots), size)]
        parts = [
            self._nearest(query.map(lambda part, row=row: part[row]), count, horizon, idle)
            for row in rows
        ]
        return torch.cat(parts)

    def _nearest(self, query: Query, count: int, horizon: int, idle: Tensor) -> Tensor:
        episodes, frames = self.slots.shape[:2]
        start, end = (self._distances(part) for part in (query.slots, query.goal))
        end = end * query.objects[:, None, None, :, None]
        best = start.new_full((len(start), episodes), torch.inf)
        first, length = torch.zeros_like(best, dtype=torch.int64), torch.ones_like(best).long()
        for steps in range(1, min(horizon, frames - 1) + 1):
            pairs = start[:, :, : frames - steps] + end[:, :, steps:]
            least, moment = pairs.amin(-1).sum(-1).min(-1)
            better = least < best
            best = torch.where(better, least, best)
            first = torch.where(better, moment, first)
            length = length.masked_fill(better, steps)
        pairs = _at(start, first) + _at(end, first + length)
        chosen = least_total(pairs).topk(min(count, episodes), largest=False).indices
        first, length = first.gather(1, chosen), length.gather(1, chosen)
        steps = torch.arange(horizon, device=first.device)
        moments = (first.unsqueeze(-1) + steps).clamp_max(frames - 2)
        taken = self.actions[chosen.unsqueeze(-1), moments]
        return torch.where((steps < length.unsqueeze(-1)).unsqueeze(-1), taken, idle.to(taken))

    def _distances(self, wanted: Tensor) -> Tensor:
        """(B, K, D) -> mean squared differences (B, N, T, K, K), [b, n, t, k, j] of k and j."""
        known = self.slots.flatten(0, 2)
        product = wanted.flatten(0, 1) @ known.T
        squares = wanted.square().sum(-1).flatten().unsqueeze(1) + known.square().sum(-1)
        distances = (squares - 2 * product).clamp_min(0.0) / wanted.shape[-1]
        return distances.view(*wanted.shape[:2], *self.slots.shape[:3]).permute(0, 2, 3, 1, 4)


def _at(distances: Tensor, moments: Tensor) -> Tensor:
    """(B, N, T, K, K) at the moments (B, N) -> (B, N, K, K)."""
    index = moments[..., None, None, None].expand(-1, -1, 1, *distances.shape[3:])
    return distances.gather(2, index).squeeze(2)
