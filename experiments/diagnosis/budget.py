"""A search with several times its budget, whatever its settings are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan, Score


class Repeated:
    """Searches again and again around the best that was found, an ``ActionOptimizer``.

    Args:
        search: what searches.
        rounds: how often, at least 1: so many times the evaluations.
    """

    def __init__(self, search: ActionOptimizer, rounds: int) -> None:
        self._search, self._rounds = search, rounds

    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None = None,
    ) -> Plan:
        """See ``ActionOptimizer``; a plan is never worse than after fewer rounds."""
        plan = self._search.optimize(score, init, bounds, generators, proposals)
        for _ in range(self._rounds - 1):
            now = self._search.optimize(score, plan.actions, bounds, generators, plan.elites)
            better = now.cost < plan.cost
            plan = replace(
                now,
                actions=torch.where(better[:, None, None], now.actions, plan.actions),
                cost=torch.where(better, now.cost, plan.cost),
                history=torch.cat([plan.history, now.history.minimum(plan.history[-1:])]),
                evaluations=plan.evaluations + now.evaluations,
            )
        return plan
