"""The cross-entropy method."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.cem import CEM
from armillary.planners.optimizer import Bounds
from armillary.planners.random_shooting import RandomShooting

BOUNDS = Bounds(torch.tensor([-1.0, -4.0]), torch.tensor([1.0, 4.0]))


class TestCEM(OptimizerContract):
    def make(self, samples: int = 200) -> CEM:
        return CEM(samples=samples, iterations=8, elites=samples // 10)


class TestCEMWithEverything(OptimizerContract):
    left = 0.06

    def make(self, samples: int = 200) -> CEM:
        return CEM(
            samples=samples,
            iterations=8,
            elites=samples // 10,
            min_std=0.01,
            momentum=0.1,
            noise_exponent=1.0,
        )


class TestCEMThatStopsEarly(OptimizerContract):
    def make(self, samples: int = 200) -> CEM:
        return CEM(samples=samples, iterations=16, elites=samples // 10, tolerance=0.05)


def watched(optimizer: CEM, init: Tensor) -> tuple[list[Tensor], Tensor]:
    """The candidates (S, T, A) of every iteration, and the final mean (T, A), for one problem."""
    seen: list[Tensor] = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions[0].clone())
        return (actions - 0.5).square().sum((2, 3))

    plan = optimizer.optimize(score, init, BOUNDS, generators(1))
    return seen, plan.mean[0]


def elite_mean(candidates: Tensor, count: int) -> Tensor:
    best = (candidates - 0.5).square().sum((1, 2)).topk(count, largest=False).indices
    return candidates[best].mean(0)


def test_first_candidates_surround_the_warm_start_with_the_given_spread() -> None:
    init = torch.tensor([[[0.1, -0.4]]])
    (candidates,), _ = watched(CEM(samples=20_000, iterations=1, std=0.25), init)
    assert_close(candidates.mean(0), init[0], atol=1e-3, rtol=0)
    assert_close(candidates.std(0)[0], torch.tensor([0.25, 1.0]), rtol=0.02, atol=0)


def test_every_iteration_tries_the_mean_and_moves_it_to_the_elites() -> None:
    init = torch.zeros(1, 3, 2)
    seen, last = watched(CEM(samples=100, iterations=4, elites=7), init)
    means = [init[0], *(elite_mean(candidates, 7) for candidates in seen)]
    for candidates, mean in zip(seen, means, strict=False):
        assert_close(candidates[0], mean)
    assert_close(last, means[-1])


def test_momentum_holds_the_mean_back() -> None:
    init = torch.full((1, 3, 2), -0.5)
    (candidates,), mean = watched(CEM(samples=100, iterations=1, elites=7, momentum=0.75), init)
    assert_close(mean, 0.75 * init[0] + 0.25 * elite_mean(candidates, 7))


def test_min_std_keeps_it_searching() -> None:
    init = torch.zeros(1, 3, 2)
    kept, lost = (
        watched(CEM(samples=200, iterations=15, elites=5, min_std=least), init)[0][-1].std(0)
        for least in (0.1, 0.0)
    )
    assert_close(kept, torch.tensor([0.1, 0.4]).expand(3, 2), rtol=0.25, atol=0)
    assert lost.max() < 0.01


def test_beats_random_shooting_with_the_same_number_of_candidates() -> None:
    init = torch.zeros(20, 6, 2)
    target = torch.rand(20, 1, 6, 2, generator=torch.Generator().manual_seed(0)) - 0.5

    def score(actions: Tensor) -> Tensor:
        return (actions - target).square().sum((2, 3))

    costs = [
        optimizer.optimize(score, init, BOUNDS, generators(20)).cost
        for optimizer in (CEM(), RandomShooting())
    ]
    assert costs[0].mean() < 0.05 * costs[1].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "samples must be a whole number of at least 2, got 1"),
        ({"iterations": 0}, "iterations must be a whole number of at least 1, got 0"),
        ({"elites": 0}, "elites must be a whole number of at least 1, got 0"),
        ({"samples": 20, "elites": 21}, "elites must be at most samples=20, got 21"),
        ({"std": -1.0}, "std must be positive and finite, got -1.0"),
        ({"min_std": 0.6}, r"min_std must be in \[0, std=0.5\], got 0.6"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"noise_exponent": float("inf")}, "noise_exponent must be at least 0 and finite, got inf"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CEM(**arguments)  # pyright: ignore[reportArgumentType]
