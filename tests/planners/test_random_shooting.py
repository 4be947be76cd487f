"""Random shooting."""

from __future__ import annotations

import pytest
import torch

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.optimizer import Bounds
from armillary.planners.random_shooting import RandomShooting


class TestRandomShooting(OptimizerContract):
    left = 0.5

    def make(self, samples: int = 200) -> RandomShooting:
        return RandomShooting(samples=samples, iterations=4)


def test_learns_nothing_between_iterations() -> None:
    spreads = []

    def score(actions: torch.Tensor) -> torch.Tensor:
        spreads.append(actions.std())
        return (actions - 0.9).square().sum((2, 3))

    bounds = Bounds(-torch.ones(1), torch.ones(1))
    optimizer = RandomShooting(samples=4000, iterations=3, std=0.3)
    optimizer.optimize(score, torch.zeros(1, 2, 1), bounds, generators(1))
    assert torch.stack(spreads).sub(0.3).abs().max() < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "samples must be a whole number of at least 2, got 1"),
        ({"samples": 10.0}, "samples must be a whole number of at least 2, got 10.0"),
        ({"iterations": 0}, "iterations must be a whole number of at least 1, got 0"),
        ({"std": 0.0}, "std must be positive and finite, got 0.0"),
        ({"std": float("nan")}, "std must be positive and finite, got nan"),
        ({"noise_exponent": -1.0}, "noise_exponent must be at least 0 and finite, got -1.0"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomShooting(**arguments)  # pyright: ignore[reportArgumentType]
