"""CEM refined by the gradient."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.cem import CEM
from armillary.planners.cem_gradient import CEMGradient
from armillary.planners.gradient import Gradient
from armillary.planners.optimizer import Bounds

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


class TestCEMGradient(OptimizerContract):
    def make(self, samples: int = 200) -> CEMGradient:
        elites = samples // 10
        return CEMGradient(
            samples=samples, iterations=12, steps=6, elites=elites, refined=min(elites, 10)
        )


def test_the_gradient_is_asked_for_at_the_end_and_for_few() -> None:
    asked = []

    def score(actions: Tensor) -> Tensor:
        asked.append((actions.requires_grad, actions.shape[1]))
        return actions.square().sum((2, 3))

    search = CEMGradient(samples=50, iterations=5, steps=2, elites=10, refined=4)
    plan = search.optimize(score, torch.zeros(1, 3, 2), BOUNDS, generators(1))
    assert asked == [(False, 50)] * 3 + [(True, 4)] * 2
    assert plan.evaluations.item() == 158


def rastrigin(actions: Tensor) -> Tensor:
    """Many local minima in a bowl whose lowest point, 0, is at 0.4."""
    x = 3 * (actions - 0.4)
    return (x.square() - (2 * math.pi * x).cos() + 1).sum((2, 3))


def test_finds_the_valley_and_its_bottom_where_each_alone_misses_one() -> None:
    costs = {
        type(search): search.optimize(
            rastrigin, torch.zeros(20, 2, 2), BOUNDS, generators(20)
        ).cost.mean()
        for search in (
            CEMGradient(samples=200, iterations=20, steps=15, learning_rate=0.03),
            CEM(samples=200, iterations=6),
            Gradient(restarts=8, iterations=60, learning_rate=0.03),
        )
    }
    assert costs[CEMGradient] < 0.3 * costs[CEM]
    assert costs[CEMGradient] < 0.3 * costs[Gradient]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 15}, "steps must be below iterations=15, got 15"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"refined": 31}, "refined must be at most elites=30, got 31"),
        ({"samples": 20}, "elites must be at most samples=20, got 30"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CEMGradient(**arguments)  # pyright: ignore[reportArgumentType]
