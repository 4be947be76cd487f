"""iCEM."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.cem import CEM
from armillary.planners.icem import ICEM
from armillary.planners.optimizer import Bounds

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


class TestICEM(OptimizerContract):
    left = 0.15

    def make(self, samples: int = 200) -> ICEM:
        return ICEM(samples=samples, iterations=8, elites=samples // 10)


class TestICEMWithWhiteNoise(OptimizerContract):
    left = 0.08

    def make(self, samples: int = 200) -> ICEM:
        return ICEM(samples=samples, iterations=8, elites=samples // 10, noise_exponent=0.0)


def watched(optimizer: ICEM, init: Tensor) -> list[Tensor]:
    """The candidates (S, T, A) of every iteration for one problem."""
    seen: list[Tensor] = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions[0].clone())
        return (actions - 0.5).square().sum((2, 3))

    optimizer.optimize(score, init, BOUNDS, generators(1))
    return seen


def contains(candidates: Tensor, wanted: Tensor) -> bool:
    return bool((candidates - wanted).abs().amax((1, 2)).lt(1e-6).any())


def elites_of(candidates: Tensor, count: int) -> Tensor:
    best = (candidates - 0.5).square().sum((1, 2)).topk(count, largest=False).indices
    return candidates[best]


def test_populations_shrink_down_to_twice_the_elites() -> None:
    optimizer = ICEM(samples=100, elites=20, iterations=7)
    assert optimizer.population_sizes() == [100, 80, 64, 51, 40, 40, 40]
    sizes = [len(candidates) for candidates in watched(optimizer, torch.zeros(1, 4, 2))]
    assert sizes == [100, 86, 70, 57, 46, 46, 46]


def test_the_best_elites_are_tried_again() -> None:
    seen = watched(ICEM(samples=100, elites=10, keep=0.3), torch.zeros(1, 4, 2))
    for before, after in pairwise(seen):
        assert all(contains(after, elite) for elite in elites_of(before, 3))
        assert not contains(after, elites_of(before, 4)[3])


def test_elites_of_a_plan_are_those_kept() -> None:
    def score(actions: Tensor) -> Tensor:
        return (actions - 0.5).square().sum((2, 3))

    optimizer = ICEM(samples=100, elites=10, keep=0.3)
    plan = optimizer.optimize(score, torch.zeros(1, 4, 2), BOUNDS, generators(1))
    assert plan.elites.shape == (1, 3, 4, 2)
    costs = score(plan.elites)[0]
    assert torch.equal(costs, costs.sort().values)
    assert torch.equal(plan.elites[:, 0], plan.actions)


def test_the_mean_is_tried_first_and_last_only() -> None:
    init = torch.full((1, 4, 2), 0.1)
    seen = watched(ICEM(samples=100, iterations=4, elites=10, momentum=0.0), init)
    means = [init[0], *(elites_of(candidates, 10).mean(0) for candidates in seen[:-1])]
    tried = [contains(candidates, mean) for candidates, mean in zip(seen, means, strict=True)]
    assert tried == [True, False, False, True]


def test_momentum_mixes_mean_and_spread() -> None:
    init = torch.full((1, 1, 2), -0.3)
    optimizer = ICEM(
        samples=4000, iterations=2, elites=1, std=0.2, keep=0.0, momentum=0.9, decay=1.0
    )
    first, second = watched(optimizer, init)
    assert_close(second[0], 0.9 * init[0] + 0.1 * elites_of(first, 1)[0])
    assert_close(second.std(0)[0], torch.full((2,), 0.9 * 0.2), rtol=0.03, atol=0)


def test_its_noise_reaches_further_than_white_noise() -> None:
    """Why coloured noise: independent actions cancel, so their sum stays near the start."""
    goal = torch.tensor([3.0, -3.0])

    def score(actions: Tensor) -> Tensor:
        return ((0.25 * actions).sum(2) - goal).square().sum(-1)

    init = torch.zeros(20, 12, 2)
    coloured, white = (
        ICEM(samples=40, iterations=2, elites=5, noise_exponent=exponent)
        .optimize(score, init, BOUNDS, generators(20))
        .cost.mean()
        for exponent in (2.5, 0.0)
    )
    assert coloured < 0.6 * white


def test_walks_round_an_obstacle_better_than_cem_with_a_third_of_the_candidates() -> None:
    """The shape of a pushing task: get behind a block without touching it."""
    blocks = torch.rand(30, 1, 1, 2, generator=torch.Generator().manual_seed(0)) - 0.5

    def score(actions: Tensor) -> Tensor:
        path = (0.15 * actions).cumsum(2)
        missed = (path - 1.4 * blocks).norm(dim=-1).amin(-1)
        touched = (0.25 - (path - blocks).norm(dim=-1)).relu().sum(-1)
        return missed + 2 * touched

    icem, cem = (
        search.optimize(score, torch.zeros(30, 12, 2), BOUNDS, generators(30))
        for search in (ICEM(samples=200, elites=8), CEM())
    )
    assert icem.cost.mean() < 0.95 * cem.cost.mean()
    assert (icem.evaluations < cem.evaluations / 3).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "samples must be a whole number of at least 2, got 1"),
        ({"samples": 20, "elites": 21}, "elites must be at most samples=20, got 21"),
        ({"momentum": -0.1}, r"momentum must be in \[0, 1\), got -0.1"),
        ({"decay": 0.8}, "decay must be at least 1, got 0.8"),
        ({"keep": 1.1}, r"keep must be in \[0, 1\], got 1.1"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ICEM(**arguments)  # pyright: ignore[reportArgumentType]
