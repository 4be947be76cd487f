"""Costs: how far every imagined state is from the goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from world_models.assignment import least_total
from world_models.simulator import Goal, Rollout


class Cost(Protocol):
    """A pure function of a rollout and a goal; a mean over elements, so that weights compare."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """A rollout of shape (B, S, P, T) and B goals -> (B, S, P, T)."""
        ...


def _over_rollout(tensor: Tensor) -> Tensor:
    """(B, ...) -> (B, 1, 1, 1, ...)."""
    return tensor[:, None, None, None]


@dataclass(frozen=True)
class SlotMatching:
    """Mean squared distance of slots to the goal's, under the best one-to-one assignment."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        problems, *rest, slots, size = rollout.slots.shape
        flat = rollout.slots.reshape(problems, -1, size)
        target = goal.view.slots
        # |x - y|^2 = |x|^2 - 2 x.y + |y|^2: one product instead of all differences
        distance = torch.baddbmm(target.square().sum(-1).unsqueeze(1), flat, target.mT, alpha=-2.0)
        distance = distance + flat.square().sum(-1, keepdim=True)
        total = least_total(distance.view(problems, *rest, slots, slots))
        return total.clamp_min(0.0) / (slots * size)


@dataclass(frozen=True)
class LatentDistance:
    """Mean squared distance of each slot to the goal's slot that shows the same thing."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        size = goal.view.slots.shape[-1]
        index = goal.assignment.unsqueeze(-1).expand(-1, -1, size)
        target = _over_rollout(goal.view.slots.gather(1, index))
        return (rollout.slots - target).square().mean((-1, -2))


@dataclass(frozen=True)
class PixelDistance:
    """Mean squared error of the frames; decodes every imagined state."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        return (rollout.frames - _over_rollout(goal.view.frames)).square().mean((-1, -2, -3))


@dataclass(frozen=True)
class ObjectPosition:
    """Mean squared distance of the objects to their goal positions, in squared image widths."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ValueError where a problem has no object."""
        objects = _over_rollout(_objects(goal))
        offsets = rollout.positions - _over_rollout(goal.positions)
        return (offsets.square().sum(-1) * objects).sum(-1) / objects.sum(-1)


@dataclass(frozen=True)
class Approach:
    """Squared distance of the effector to the object that is furthest from its goal.

    Distances of objects alone are flat until something touches them; this term leads there.

    Args:
        standoff: how far behind the object, seen from its goal, the effector is drawn to, in
            image widths.
    """

    standoff: float = 0.0

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ValueError where a problem has no object."""
        objects = _over_rollout(_objects(goal))
        positions = rollout.positions
        offsets = positions - _over_rollout(goal.positions)
        furthest = (offsets.square().sum(-1) * objects).argmax(-1)
        index = furthest[..., None, None].expand(*furthest.shape, 1, 2)
        target = positions.gather(-2, index).squeeze(-2)
        if self.standoff:
            away = offsets.gather(-2, index).squeeze(-2)
            target = target + self.standoff * torch.nn.functional.normalize(away, dim=-1)
        effector = (positions * _over_rollout(goal.effector).unsqueeze(-1)).sum(-2)
        return (effector - target).square().sum(-1)


def _objects(goal: Goal) -> Tensor:
    """(B, K), after checking that every problem has one."""
    empty = (goal.objects.sum(-1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"a position cost needs objects to place, found none in problem {empty}; use the latent "
            "or pixel objective with models that do not segment"
        )
    return goal.objects
