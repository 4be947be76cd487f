"""The objective: weighted costs, reduced over time and over particles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.costs import Cost, KeepOut
from armillary.planners.reductions import RISK, TIME, Reduction, named
from armillary.planners.template.checks import check
from armillary.world_models.simulator import Goal, Rollout

_KEEP_CLEAR_WEIGHT = 10.0


@dataclass(frozen=True)
class Term:
    """A cost and its weight; a cost of weight 0 is not computed."""

    cost: Cost
    weight: float = 1.0

    def __post_init__(self) -> None:
        check("weight", self.weight, "at least 0 and finite", 0 <= self.weight < float("inf"))


class Objective:
    """Scores rollouts: risk over particles of the reduction over time of the weighted sum of costs.

    Regions that a goal says to keep clear cost what ``KeepOut`` says, with weight 10.

    Args:
        terms: costs by name.
        time: ``last``, ``mean``, ``least``, ``greatest``, ``discounted:GAMMA`` or a function.
        risk: over particles: ``mean``, ``best``, ``worst``, ``cvar:ALPHA`` or a function.
    """

    def __init__(
        self,
        terms: Mapping[str, Term],
        time: str | Reduction = "mean",
        risk: str | Reduction = "mean",
    ) -> None:
        self._terms = {name: term for name, term in terms.items() if term.weight > 0}
        if not self._terms:
            raise ArmillaryError(
                f"an objective needs a term with a weight above 0, got {list(terms) or 'no term'}"
            )
        self._time = named(time, TIME)
        self._risk = named(risk, RISK)

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """A rollout of shape (B, S, P, T) and B goals -> scores (B, S).

        Raises:
            ArmillaryError: a cost returned another shape than the rollout's.
        """
        costs = [self._cost(name, rollout, goal) for name in self._terms]
        costs += [cost for _, cost in _keeping_clear(rollout, goal)]
        return self._risk(self._time(torch.stack(costs).sum(0)))

    def terms(self, rollout: Rollout, goal: Goal) -> dict[str, Tensor]:
        """Each weighted term (B, S) by itself; they add up where time and risk are means."""
        costs = {name: self._cost(name, rollout, goal) for name in self._terms}
        costs |= dict(_keeping_clear(rollout, goal))
        return {name: self._risk(self._time(cost)) for name, cost in costs.items()}

    def _cost(self, name: str, rollout: Rollout, goal: Goal) -> Tensor:
        term = self._terms[name]
        cost = term.cost(rollout, goal)
        if cost.shape != rollout.shape:
            raise ArmillaryError(
                f"the cost {name!r} must be (B, S, P, T) = {rollout.shape}, got {tuple(cost.shape)}"
            )
        return term.weight * cost


def _keeping_clear(rollout: Rollout, goal: Goal) -> list[tuple[str, Tensor]]:
    """What the goal's own regions cost, by name; nothing where there are none."""
    if not goal.keep_clear:
        return []
    return [("keep_clear", _KEEP_CLEAR_WEIGHT * KeepOut(goal.keep_clear)(rollout, goal))]
