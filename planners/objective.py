"""The objective: weighted costs, reduced over time and over particles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.checks import check
from armillary.planners.costs import Cost
from armillary.planners.reductions import RISK, TIME, Reduction, named
from armillary.world_models.simulator import Goal, Rollout


@dataclass(frozen=True)
class Term:
    """A cost and its weight; a cost of weight 0 is not computed."""

    cost: Cost
    weight: float = 1.0

    def __post_init__(self) -> None:
        check("weight", self.weight, "at least 0 and finite", 0 <= self.weight < float("inf"))


@dataclass(frozen=True)
class Scores:
    """What candidates cost.

    Attributes:
        total: (B, S).
        terms: each weighted term (B, S); they add up to the total where time and risk are means.
    """

    total: Tensor
    terms: dict[str, Tensor]


class Objective:
    """Scores rollouts: risk over particles of the reduction over time of the weighted sum of costs.

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

    def __call__(self, rollout: Rollout, goal: Goal) -> Scores:
        """A rollout of shape (B, S, P, T) and B goals -> scores (B, S).

        Raises:
            ArmillaryError: a cost returned another shape than the rollout's.
        """
        costs = {}
        for name, term in self._terms.items():
            cost = term.cost(rollout, goal)
            if cost.shape != rollout.shape:
                raise ArmillaryError(
                    f"the cost {name!r} must be (B, S, P, T) = {rollout.shape}, "
                    f"got {tuple(cost.shape)}"
                )
            costs[name] = term.weight * cost
        total = torch.stack(list(costs.values())).sum(0)
        terms = {name: self._risk(self._time(cost)) for name, cost in costs.items()}
        return Scores(self._risk(self._time(total)), terms)
