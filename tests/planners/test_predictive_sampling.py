"""Predictive sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.optimizer import Bounds
from armillary.planners.predictive_sampling import PredictiveSampling

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


class TestPredictiveSampling(OptimizerContract):
    left = 0.06

    def make(self, samples: int = 200) -> PredictiveSampling:
        return PredictiveSampling(samples=samples, iterations=8)


def score(actions: Tensor) -> Tensor:
    return (actions - 0.5).square().sum((2, 3))


def test_the_best_candidate_is_the_next_mean() -> None:
    seen: list[Tensor] = []

    def watched(actions: Tensor) -> Tensor:
        seen.append(actions[0].clone())
        return score(actions)

    search = PredictiveSampling(samples=20, iterations=3)
    plan = search.optimize(watched, torch.zeros(1, 4, 2), BOUNDS, generators(1))
    for before, after in zip(seen, [*seen[1:], plan.mean], strict=True):
        best = before[score(before.unsqueeze(0))[0].argmin()]
        assert torch.equal(after[0], best)


def test_a_plan_from_the_last_plan_gets_better_each_time() -> None:
    init, drawing = torch.zeros(5, 4, 2), generators(5)
    costs = []
    for _ in range(30):
        plan = PredictiveSampling().optimize(score, init, BOUNDS, drawing)
        init = plan.actions
        costs.append(plan.cost.mean())
    assert (torch.stack(costs).diff() <= 0).all()
    assert costs[-1] < 0.1 * costs[0]
