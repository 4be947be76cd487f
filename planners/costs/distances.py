"""How far every imagined state is from the goal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from armillary.errors import ArmillaryError
from armillary.planners.costs.cost import over_rollout, present
from armillary.planners.template.checks import check
from armillary.plugins import register
from armillary.suggestions import suggest
from armillary.world_models.assignment import least_total
from armillary.world_models.simulator import Goal, Rollout

_LEAST = 1e-7
_MOST = 1e6
"""The distance to what is none of the goals that there are; more than any other."""


@register("cost", "slot_matching")
@dataclass(frozen=True)
class SlotMatching:
    """Mean squared distance of slots to the goal's, under the best one-to-one assignment.

    What the goal does not show costs nothing, wherever it is.

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
        if goal.shown is not None:  # the hidden take what is left, and cost nothing
            left = torch.zeros_like(goal.shown).scatter(1, goal.assignment, goal.shown) == 0
            rows, columns = over_rollout(goal.shown).unsqueeze(-1), over_rollout(left).unsqueeze(-2)
            distance = distance.masked_fill((rows > 0) & columns, _MOST) * rows
        return least_total(distance) / distance.shape[-1]


@register("cost", "latent")
@dataclass(frozen=True)
class LatentDistance:
    """Mean squared distance of each slot to the goal's slot that shows the same thing.

    What the goal does not show costs nothing, wherever it is.

    Args:
        saturation: s above 0 makes d / (d + s) of each slot's distance d: what is out of place by
            far more costs 1, however far it is. On average over time the things are put into place
            one by one then, each once, instead of all nearer at first.
    """

    saturation: float = 0.0

    def __post_init__(self) -> None:
        check("saturation", self.saturation, "at least 0", self.saturation >= 0)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        slots = goal.view.slots
        target = slots.gather(1, goal.assignment.unsqueeze(-1).expand_as(slots))
        distance = (rollout.slots - over_rollout(target)).square().mean(-1)
        if goal.shown is not None:
            distance = distance * over_rollout(goal.shown)
        if self.saturation > 0:
            distance = distance / (distance + self.saturation)
        return distance.mean(-1)


@register("cost", "pixel")
@dataclass(frozen=True)
class PixelDistance:
    """Mean squared error of the frames; decodes every imagined state."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        return (rollout.frames - over_rollout(goal.view.frames)).square().mean((-1, -2, -3))


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
        objects = over_rollout(present(goal.placed, "object to place"))
        distance = goal.offsets(rollout.positions).square().sum(-1) * objects
        return (
            distance.amax(-1)
            if self.reduction == "max"
            else distance.sum(-1) / objects.sum(-1).clamp_min(1.0)
        )


@register("cost", "approach")
@dataclass(frozen=True)
class Approach:
    """Squared distance of the effector to an object that is not at its goal, in image widths.

    Distances of objects alone are flat until something touches them; this term leads there. Zero
    where every object is at its goal, and where there is no effector.

    Args:
        standoff: how far behind the object, seen from its goal, the effector is drawn to, in
            image widths: from there it can push.
        tolerance: how far from its goal an object is still at its goal, in image widths.
        to: ``furthest``, the object that is furthest from its goal, or ``nearest``, the one that is
            nearest to the effector, where every other object that is not at its goal costs 1: they
            are dealt with one after the other, and it pays to be done with one.
        where: ``image``, or ``scene``: all lengths are in units of actions then, and the simulator
            has to tell where things are in the scene (``handles``). A goal that says in words where
            in the image an object should be does not tell which way lies behind it: the effector
            is drawn to the object itself, and ``tolerance`` is in image widths.
    """

    standoff: float = 0.0
    tolerance: float = 0.0
    to: str = "furthest"
    where: str = "image"

    def __post_init__(self) -> None:
        check("standoff", self.standoff, "at least 0", self.standoff >= 0)
        check("tolerance", self.tolerance, "at least 0", self.tolerance >= 0)
        for name, valid in (("to", ("furthest", "nearest")), ("where", ("image", "scene"))):
            value = getattr(self, name)
            if value not in valid:
                raise ArmillaryError(f"unknown {name} {value!r}; {suggest(value, valid)}")

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError for models that do not segment."""
        objects = over_rollout(present(goal.placed, "object to place"))
        hand = over_rollout(present(goal.effector, "effector")).unsqueeze(-1)
        ends = _handles(goal) if self.where == "scene" else None
        places = rollout.positions if self.where == "image" else rollout.handles
        offsets = goal.offsets(rollout.positions) if ends is None else places - over_rollout(ends)
        distance = offsets.square().sum(-1) * objects
        behind = self.standoff * functional.normalize(offsets, dim=-1)
        if ends is None and self.where == "scene":
            behind = torch.zeros_like(places)
        effector = (places * hand).sum(-2, keepdim=True)
        ways = (effector - places - behind).square().sum(-1)
        arrived = distance <= self.tolerance**2
        if self.to == "furthest":
            pull = ways.gather(-1, distance.argmax(-1, keepdim=True)).squeeze(-1)
        else:
            nearest = ways.masked_fill(arrived, 1.0).clamp_max(1.0).amin(-1)
            pull = nearest + (~arrived).sum(-1) - 1.0
        return (pull * hand.amax((-1, -2))).masked_fill(arrived.all(-1), 0.0)


@register("cost", "pose")
@dataclass(frozen=True)
class Pose:
    """Squared distance of objects and effector to their goal poses, in units of tolerances.

    The sum over objects and effector of the squared distance of their places, and over the objects
    of the square of the angle by which they are turned, the short way round. It is below 1 only
    where all places together, as one vector, and every angle are within their tolerances. Angles
    are those of the orientations' chords: exact for the true physics; for a learned model what
    looks alike in nothing is a quarter turn apart.

    Args:
        place: tolerance of places, in image widths.
        angle: tolerance of angles, in radians.
        leave: s above 0 makes s log(1 + d / s) of the effector's part d: it goes where it likes, so
            being away is worth it for what brings an object nearer. With 0 a search that finds no
            way to do both at once leaves the objects and parks.
    """

    place: float = 20 / 512
    angle: float = math.pi / 9
    leave: float = 0.0

    def __post_init__(self) -> None:
        check("leave", self.leave, "at least 0", self.leave >= 0)
        check("place", self.place, "above 0", self.place > 0)
        check("angle", self.angle, "above 0", self.angle > 0)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError where it is not told how things lie."""
        objects = over_rollout(present(goal.placed, "object to place"))
        effector = goal.effector if goal.shown is None else goal.effector * goal.shown
        effector = over_rollout(effector)
        apart = goal.offsets(rollout.positions).square().sum(-1) / self.place**2
        chord = (rollout.orientations - over_rollout(goal.orientations)).square().sum(-1)
        half = (chord / 4.0).clamp(_LEAST, 1.0 - _LEAST).sqrt()  # the sine of half the angle
        turn = chord * (half.asin() / half).square()
        hand = (apart * effector).sum(-1)
        if self.leave > 0:
            hand = self.leave * (hand / self.leave).log1p()
        return hand + ((apart + turn / self.angle**2) * objects).sum(-1)


@register("cost", "readout")
@dataclass(frozen=True)
class ReadoutDistance:
    """Mean squared distance of objects to their goals in the scene, in units of actions.

    Args:
        saturation: s above 0 makes d / (d + s) of each object's squared distance d, in squared
            units of actions, as that of ``LatentDistance``.
        positions_weight: of the squared distance in the image, which is added to each object's:
            it tells what actions do not name, such as heights.
    """

    saturation: float = 0.0
    positions_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("saturation", "positions_weight"):
            value = getattr(self, name)
            check(name, value, "at least 0", value >= 0)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError where no places in the scene are told."""
        objects = over_rollout(present(goal.placed, "object to place"))
        distance = (rollout.handles - over_rollout(goal.handles)).square().sum(-1)
        if self.positions_weight > 0:
            apart = goal.offsets(rollout.positions).square().sum(-1)
            distance = distance + self.positions_weight * apart
        if self.saturation > 0:
            distance = distance / (distance + self.saturation)
        return (distance * objects).sum(-1) / objects.sum(-1).clamp_min(1.0)


def _handles(goal: Goal) -> Tensor | None:
    """(B, K, P); None for goals that name places in the image alone."""
    try:
        return goal.handles
    except ArmillaryError:
        return None


def _pair_distance(imagined: Tensor, target: Tensor) -> Tensor:
    """(B, S, P, T, K, D) and (B, K, D) -> mean squared differences (B, S, P, T, K, K)."""
    # Without a product of matrices, which rounds by batch size and cancels where slots are close.
    mode = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(imagined.flatten(1, 4), target, compute_mode=mode)
    return distance.square().view(*imagined.shape[:5], -1) / imagined.shape[-1]
