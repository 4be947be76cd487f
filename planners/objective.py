"""The objective: weighted costs, reduced over time and over particles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from planners.costs import Cost
from planners.reductions import RISK, TIME, Reduction, named
from world_models.simulator import Goal, Rollout


@dataclass(frozen=True)
class Term:
    """A cost and its weight."""

    cost: Cost
    weight: float = 1.0


@dataclass(frozen=True)
class Scores:
    """What candidates cost.

    Attributes:
        total: (B, S).
        terms: each weighted term (B, S); they add up to the total where risk is a mean.
    """

    total: Tensor
    terms: dict[str, Tensor]


class Objective:
    """Scores rollouts.

    Args:
        terms: costs by name.
        time: ``last``, ``mean``, ``least``, ``greatest`` or a reduction such as ``Discounted``.
        risk: over particles: ``mean``, ``best``, ``worst`` or a reduction such as ``CVaR``.
    """

    def __init__(
        self,
        terms: Mapping[str, Term],
        time: str | Reduction = "mean",
        risk: str | Reduction = "mean",
    ) -> None:
        if not terms:
            raise ValueError("an objective needs at least one term")
        self._terms = dict(terms)
        self._time = named(time, TIME)
        self._risk = named(risk, RISK)

    def __call__(self, rollout: Rollout, goal: Goal) -> Scores:
        """A rollout of shape (B, S, P, T) and B goals -> scores (B, S)."""
        per_particle = {
            name: term.weight * self._time(term.cost(rollout, goal))
            for name, term in self._terms.items()
        }
        total = self._risk(sum(per_particle.values()))  # pyright: ignore[reportArgumentType]
        return Scores(total, {name: self._risk(cost) for name, cost in per_particle.items()})
