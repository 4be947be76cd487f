"""Costs: how far every imagined state is from the goal, and what the way there costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from armillary.errors import ArmillaryError
from armillary.planners.template.checks import check
from armillary.plugins import register
from armillary.suggestions import suggest
from armillary.world_models.assignment import least_total
from armillary.world_models.simulator import Goal, Rollout


class Cost(Protocol):
    """A pure function of a rollout, its actions and a goal.

    It is at least 0, and a mean over elements, so that weights compare. A distance is 0 at the goal
    and above 0 elsewhere; what regularises the way there promises neither.
    """

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """A rollout of shape (B, S, P, T) and B goals -> (B, S, P, T)."""
        ...


@register("cost", "slot_matching")
@dataclass(frozen=True)
class SlotMatching:
    """Mean squared distance of slots to the goal's, under the best one-to-one assignment.

    Args:
        positions_weight: of the mean squared distance of the slots' positions, which is added to
            each pair's distance before they are matched.
    """

    positions_weight: float = 0.0

    def __post_init__(self) -> None:
        check("positions_weight", self.positions_weight, "at least 0", self.positions_weight >= 0)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        distance = _pair_distance(rollout.slots, goal.view.slots)
        if self.positions_weight > 0:
            apart = _pair_distance(rollout.positions, goal.view.positions)
            distance = distance + self.positions_weight * apart
        return least_total(distance) / distance.shape[-1]


@register("cost", "latent")
@dataclass(frozen=True)
class LatentDistance:
    """Mean squared distance of each slot to the goal's slot that shows the same thing."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        slots = goal.view.slots
        target = slots.gather(1, goal.assignment.unsqueeze(-1).expand_as(slots))
        return (rollout.slots - _over_rollout(target)).square().mean((-1, -2))


@register("cost", "pixel")
@dataclass(frozen=True)
class PixelDistance:
    """Mean squared error of the frames; decodes every imagined state."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        return (rollout.frames - _over_rollout(goal.view.frames)).square().mean((-1, -2, -3))


@register("cost", "object_position")
@dataclass(frozen=True)
class ObjectPosition:
    """Squared distance of the objects to their goal positions, in squared image widths.

    Args:
        reduction: over the objects of a problem, ``mean`` or ``max``.
    """

    reduction: str = "mean"

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "max"):
            raise ArmillaryError(
                f"unknown reduction {self.reduction!r}; {suggest(self.reduction, ('mean', 'max'))}"
            )

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError for models that do not segment."""
        objects = _over_rollout(_present(goal.objects, "object to place"))
        distance = goal.offsets(rollout.positions).square().sum(-1) * objects
        return (
            distance.amax(-1)
            if self.reduction == "max"
            else distance.sum(-1) / objects.sum(-1).clamp_min(1.0)
        )


@register("cost", "approach")
@dataclass(frozen=True)
class Approach:
    """Squared distance of the effector to the object that is furthest from its goal.

    Distances of objects alone are flat until something touches them; this term leads there. Zero
    where every object is at its goal, and where there is no effector.

    Args:
        standoff: how far behind the object, seen from its goal, the effector is drawn to, in
            image widths: from there it can push.
        tolerance: how far from its goal an object is still at its goal, in image widths.
    """

    standoff: float = 0.0
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        check("standoff", self.standoff, "at least 0", self.standoff >= 0)
        check("tolerance", self.tolerance, "at least 0", self.tolerance >= 0)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError for models that do not segment."""
        objects = _over_rollout(_present(goal.objects, "object to place"))
        hand = _over_rollout(_present(goal.effector, "effector")).unsqueeze(-1)
        offsets = goal.offsets(rollout.positions)
        distance, furthest = (offsets.square().sum(-1) * objects).max(-1)
        index = furthest[..., None, None].expand(*furthest.shape, 1, 2)
        behind = self.standoff * functional.normalize(offsets.gather(-2, index), dim=-1)
        target = (rollout.positions.gather(-2, index) + behind).squeeze(-2)
        effector = (rollout.positions * hand).sum(-2)
        pull = (effector - target).square().sum(-1) * hand.amax((-1, -2))
        return pull.masked_fill(distance <= self.tolerance**2, 0.0)


@register("cost", "pose")
@dataclass(frozen=True)
class Pose:
    """Squared distance of objects and effector to their goal poses, in units of tolerances.

    The sum over objects and effector of the squared distance of their places, and over the objects
    of the squared difference of their angles the short way round. It is below 1 only where all
    places together, as one vector, and every angle are within their tolerances.

    Args:
        place: tolerance of places, in image widths.
        angle: tolerance of angles, in radians.
    """

    place: float = 20 / 512
    angle: float = math.pi / 9

    def __post_init__(self) -> None:
        check("place", self.place, "above 0", self.place > 0)
        check("angle", self.angle, "above 0", self.angle > 0)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError for simulators that tell no angles."""
        objects = _over_rollout(_present(goal.objects, "object to place"))
        things = objects + _over_rollout(goal.effector)
        apart = goal.offsets(rollout.positions).square().sum(-1)
        turn = rollout.angles - _over_rollout(goal.angles)
        turn = torch.atan2(turn.sin(), turn.cos())
        places, angles = (apart * things).sum(-1), (turn.square() * objects).sum(-1)
        return places / self.place**2 + angles / self.angle**2


@register("cost", "effort")
@dataclass(frozen=True)
class Effort:
    """Mean squared action, in the square of the environment's units."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        return _over_particles(rollout.actions.square().mean(-1), rollout)


@register("cost", "smoothness")
@dataclass(frozen=True)
class Smoothness:
    """Mean squared change of the action since the step before; 0 at the first step."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        change = rollout.actions.diff(dim=2).square().mean(-1)
        return _over_particles(functional.pad(change, (1, 0)), rollout)


@register("cost", "limits")
@dataclass(frozen=True)
class Limits:
    """Mean square of what actions exceed soft limits by, in the environment's units.

    Candidates never leave the action space; these limits lie inside it and may be crossed, at a
    price.

    Args:
        low: of every action, or one per dimension.
        high: of every action, or one per dimension.
    """

    low: float | Sequence[float] = -1.0
    high: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        if bool((torch.as_tensor(self.low) > torch.as_tensor(self.high)).any()):
            raise ArmillaryError(f"low must not be above high, got {self.low} and {self.high}")

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError for limits of another number of dimensions."""
        actions = rollout.actions
        low, high = (_constant(limit, actions) for limit in (self.low, self.high))
        for limit in (low, high):
            if limit.ndim and len(limit) != actions.shape[-1]:
                raise ArmillaryError(
                    f"limits must be a number or {actions.shape[-1]}, one per action dimension, "
                    f"got {len(limit)}"
                )
        excess = (low - actions).clamp_min(0.0) + (actions - high).clamp_min(0.0)
        return _over_particles(excess.square().mean(-1), rollout)


@register("cost", "keep_out")
@dataclass(frozen=True)
class KeepOut:
    """Squared depth of things inside regions that they should stay out of, in image widths.

    The depth is the way to the nearest edge of a region; the cost is its mean over the things, and
    the sum over the regions.

    Args:
        regions: of the image, (x0, y0, x1, y1) in [0, 1] each, x to the right and y downwards.
        things: ``objects``, ``effector`` or ``both``.
        margin: what regions are widened by on all sides, in image widths.
    """

    regions: Sequence[Sequence[float]] = ()
    things: str = "both"
    margin: float = 0.0

    def __post_init__(self) -> None:
        check("margin", self.margin, "at least 0", self.margin >= 0)
        if self.things not in _THINGS:
            raise ArmillaryError(f"unknown things {self.things!r}; {suggest(self.things, _THINGS)}")
        for region in self.regions:
            if len(region) != 4 or region[0] >= region[2] or region[1] >= region[3]:
                raise ArmillaryError(
                    f"a region must be [x0, y0, x1, y1] with x0 < x1 and y0 < y1, got {region}"
                )

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError for models that do not segment."""
        objects, effector = (
            _present(slots, "object or effector") for slots in (goal.objects, goal.effector)
        )
        chosen = {"objects": objects, "effector": effector, "both": objects + effector}
        things = _over_rollout(chosen[self.things])
        positions = rollout.positions
        cost = positions.new_zeros(positions.shape[:-2])
        for region in self.regions:
            low = _constant(region[:2], positions) - self.margin
            high = _constant(region[2:], positions) + self.margin
            depth = torch.minimum(positions - low, high - positions).amin(-1).clamp_min(0.0)
            cost = cost + (depth.square() * things).sum(-1) / things.sum(-1).clamp_min(1.0)
        return cost


_THINGS = ("objects", "effector", "both")


def _constant(values: float | Sequence[float], like: Tensor) -> Tensor:
    """Numbers as a tensor of the type and on the device of another, brought there once."""
    return _kept(
        values if isinstance(values, float | int) else tuple(values), like.dtype, like.device
    )


@lru_cache(maxsize=64)
def _kept(values: float | tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)


def _over_particles(cost: Tensor, rollout: Rollout) -> Tensor:
    """(B, S, T) of actions, which all particles share -> (B, S, P, T)."""
    return cost.unsqueeze(2).expand(rollout.shape)


def _over_rollout(tensor: Tensor) -> Tensor:
    """(B, ...) -> (B, 1, 1, 1, ...)."""
    return tensor[:, None, None, None]


def _pair_distance(imagined: Tensor, target: Tensor) -> Tensor:
    """(B, S, P, T, K, D) and (B, K, D) -> mean squared differences (B, S, P, T, K, K)."""
    # Without a product of matrices, which rounds by batch size and cancels where slots are close.
    mode = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(imagined.flatten(1, 4), target, compute_mode=mode)
    return distance.square().view(*imagined.shape[:5], -1) / imagined.shape[-1]


def _present(slots: Tensor, what: str) -> Tensor:
    """(B, K) itself, after checking that the model segments.

    A problem in which none was found costs 0, so that one failed segmentation ends no benchmark.
    """
    if slots.shape[-1] == 1 and not slots.any():
        raise ArmillaryError(
            f"a cost on positions needs an {what}, but this model sees every scene as one slot; "
            "take the latent or the pixel objective"
        )
    return slots
