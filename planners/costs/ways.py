"""What the way to a goal costs: actions, forbidden regions, and where nobody has been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from armillary.errors import ArmillaryError
from armillary.planners.costs.cost import over_particles, over_rollout, present
from armillary.planners.template.checks import check
from armillary.plugins import register
from armillary.suggestions import suggest
from armillary.world_models.simulator import Goal, Rollout


@register("cost", "effort")
@dataclass(frozen=True)
class Effort:
    """Mean squared action, in the square of the environment's units."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        return over_particles(rollout.actions.square().mean(-1), rollout)


@register("cost", "smoothness")
@dataclass(frozen=True)
class Smoothness:
    """Mean squared change of the action since the step before; 0 at the first step."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``."""
        change = rollout.actions.diff(dim=2).square().mean(-1)
        return over_particles(functional.pad(change, (1, 0)), rollout)


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
        return over_particles(excess.square().mean(-1), rollout)


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
            present(slots, "object or effector") for slots in (goal.objects, goal.effector)
        )
        chosen = {"objects": objects, "effector": effector, "both": objects + effector}
        things = over_rollout(chosen[self.things])
        positions = rollout.positions
        cost = positions.new_zeros(positions.shape[:-2])
        for region in self.regions:
            low = _constant(region[:2], positions) - self.margin
            high = _constant(region[2:], positions) + self.margin
            depth = torch.minimum(positions - low, high - positions).amin(-1).clamp_min(0.0)
            cost = cost + (depth.square() * things).sum(-1) / things.sum(-1).clamp_min(1.0)
        return cost


@register("cost", "disagreement")
@dataclass(frozen=True)
class Disagreement:
    """How much an ensemble's members differ: what none has learnt, they imagine differently.

    The variance over members, averaged over the numbers of all slots; with several particles a
    member, of the members' means, to which noise adds its own variance divided by their number.
    Plan2Explore (Sekar et al. 2020, 2005.05960, eq. 4) seeks it, to plan with what is known shuns
    it.

    Args:
        of: ``slots``, or ``positions``, in image widths.
    """

    of: str = "slots"

    def __post_init__(self) -> None:
        if self.of not in _READ:
            raise ArmillaryError(f"unknown of {self.of!r}; {suggest(self.of, _READ)}")

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """See ``Cost``. Raises ArmillaryError where fewer than two members imagined."""
        members = rollout.members
        if members < 2:
            raise ArmillaryError(
                "disagreement needs several members of an ensemble, 1 imagined: take a model "
                "trained with model.ensemble=5, say, and simulator.particles=5 or a multiple"
            )
        read = rollout.slots if self.of == "slots" else rollout.positions
        means = read.unflatten(2, (-1, members)).mean(2)
        spread = means.var(2, correction=0).mean((-1, -2))
        return spread.unsqueeze(2).expand(rollout.shape)


_READ = ("slots", "positions")
_THINGS = ("objects", "effector", "both")


def _constant(values: float | Sequence[float], like: Tensor) -> Tensor:
    """Numbers as a tensor of the type and on the device of another, brought there once."""
    return _kept(
        values if isinstance(values, float | int) else tuple(values), like.dtype, like.device
    )


@lru_cache(maxsize=64)
def _kept(values: float | tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)
