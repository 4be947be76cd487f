"""Model-predictive path integral control."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.mppi import MPPI
from armillary.planners.optimizer import Bounds
from armillary.planners.random_shooting import RandomShooting

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


class TestMPPI(OptimizerContract):
    def make(self, samples: int = 200) -> MPPI:
        return MPPI(samples=samples, iterations=8)


class TestAnnealedMPPI(OptimizerContract):
    def make(self, samples: int = 200) -> MPPI:
        return MPPI(samples=samples, iterations=8, decay=0.8, temperature=0.05)


def squares(actions: Tensor) -> Tensor:
    return (actions - 0.5).square().sum((2, 3))


def one_update(optimizer: MPPI, score=squares) -> tuple[Tensor, Tensor, Tensor]:
    """The candidates (S, T, A) of an iteration, the mean and the spread after it."""
    seen: list[Tensor] = []

    def watched(actions: Tensor) -> Tensor:
        seen.append(actions[0].clone())
        return score(actions)

    plan = optimizer.optimize(watched, torch.zeros(1, 3, 2), BOUNDS, generators(1))
    return seen[-1], plan.mean[0], plan.spread[0]


def test_the_mean_is_the_weighted_mean_of_the_candidates() -> None:
    optimizer = MPPI(samples=50, iterations=1, temperature=0.2)
    candidates, mean, _ = one_update(optimizer)
    costs = squares(candidates.unsqueeze(0))[0]
    temperature = 0.2 * (costs.mean() - costs.min())
    weights = torch.softmax(-costs / temperature, 0)
    assert_close(mean, (weights[:, None, None] * candidates).sum(0))


def test_the_scale_and_the_offset_of_a_score_do_not_matter() -> None:
    optimizer = MPPI(samples=50, iterations=4)
    _, mean, _ = one_update(optimizer)
    _, scaled, _ = one_update(optimizer, lambda actions: 1e-3 * squares(actions) - 0.5)
    assert_close(mean, scaled, atol=1e-3, rtol=0)


def test_a_low_temperature_follows_the_best_and_a_high_one_the_mean_of_all() -> None:
    candidates, cold, _ = one_update(MPPI(samples=50, iterations=1, temperature=1e-6))
    best = squares(candidates.unsqueeze(0))[0].argmin()
    assert_close(cold, candidates[best])
    candidates, hot, _ = one_update(MPPI(samples=50, iterations=1, temperature=1e6))
    assert_close(hot, candidates.mean(0))


def test_candidates_without_a_finite_score_weigh_nothing() -> None:
    def score(actions: Tensor) -> Tensor:
        costs = squares(actions)
        return costs.masked_fill(actions[:, :, 0, 0] > 0, torch.nan)

    _, mean, _ = one_update(MPPI(samples=50, iterations=1, temperature=1e6), score)
    assert mean[0, 0] < 0
    assert mean.isfinite().all()


def test_an_iteration_without_any_score_leaves_the_mean_where_it_was() -> None:
    centres: list[Tensor] = []

    def score(actions: Tensor) -> Tensor:
        centres.append(actions[0, 0].clone())
        empty = torch.full(actions.shape[:2], torch.inf)
        return squares(actions) if len(centres) == 1 else empty

    _, mean, _ = one_update(MPPI(samples=50, iterations=3), score)
    assert torch.equal(centres[1], centres[2])
    assert torch.equal(centres[2], mean)
    assert not torch.equal(centres[0], mean)


def test_spread_stays_or_decays() -> None:
    _, _, kept = one_update(MPPI(samples=50, iterations=4, std=0.4))
    assert_close(kept, torch.full_like(kept, 0.4))
    _, _, annealed = one_update(MPPI(samples=50, iterations=4, std=0.4, decay=0.5))
    assert_close(annealed, torch.full_like(kept, 0.4 * 0.5**4))


def test_beats_random_shooting_with_the_same_number_of_candidates() -> None:
    target = torch.rand(20, 1, 6, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    costs = [
        optimizer.optimize(
            lambda actions: (actions - target).square().sum((2, 3)),
            torch.zeros(20, 6, 2),
            BOUNDS,
            generators(20),
        ).cost.mean()
        for optimizer in (MPPI(), RandomShooting())
    ]
    assert costs[0] < 0.1 * costs[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "samples must be a whole number of at least 2, got 1"),
        ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0"),
        ({"temperature": float("nan")}, "temperature must be positive and finite, got nan"),
        ({"decay": 0.0}, r"decay must be in \(0, 1\], got 0.0"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MPPI(**arguments)  # pyright: ignore[reportArgumentType]
