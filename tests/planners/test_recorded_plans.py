"""The plans of the first searches stay what they were: tables of success name their seeds."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from armillary.contracts.optimizer import BOUNDS, generators, squared_distance, uniform
from armillary.planners.cem import CEM
from armillary.planners.icem import ICEM
from armillary.planners.random_shooting import RandomShooting
from armillary.planners.template.search import Search

# Recorded at commit 2e4954c: settings, then each problem's cost without and with proposals, and the
# sums of the actions and of the elites without.
RECORDED = [
    (CEM(samples=60, iterations=5, elites=6), [[0.839460, 0.998619]] * 2, 13.410472, 13.410472),
    (
        CEM(
            samples=61,
            iterations=5,
            elites=6,
            std=0.7,
            min_std=0.05,
            momentum=0.2,
            noise_exponent=2.0,
        ),
        [[1.254066, 1.747358], [1.254066, 1.695299]],
        15.288796,
        15.288796,
    ),
    (ICEM(samples=60, iterations=5), [[1.576770, 3.418987]] * 2, 11.361108, 35.825249),
    (
        ICEM(samples=61, iterations=5, elites=7, noise_exponent=0.0, momentum=0.0, keep=0.5),
        [[0.932875, 1.429273]] * 2,
        13.625293,
        57.009872,
    ),
    (RandomShooting(samples=60, iterations=5), [[4.967947, 5.097988]] * 2, 12.647046, 12.647046),
    (
        RandomShooting(samples=61, iterations=2, noise_exponent=2.0, std=0.3),
        [[2.484413, 9.791253]] * 2,
        9.219125,
        9.219125,
    ),
]


@pytest.mark.parametrize(("search", "costs", "actions", "elites"), RECORDED)
def test_plans_are_those_recorded(
    search: Search, costs: list[list[float]], actions: float, elites: float
) -> None:
    score, init = squared_distance(uniform(2, 5, seed=1)), uniform(2, 5, seed=2)
    plan = search.optimize(score, init, BOUNDS, generators(2))
    assert_close(plan.cost, torch.tensor(costs[0]), atol=1e-4, rtol=0)
    assert_close(plan.actions.sum(), torch.tensor(actions), atol=1e-3, rtol=0)
    assert_close(plan.elites.sum(), torch.tensor(elites), atol=1e-3, rtol=0)
    proposed = search.optimize(score, init, BOUNDS, generators(2), uniform(2, 3, 5, seed=3))
    assert_close(proposed.cost, torch.tensor(costs[1]), atol=1e-4, rtol=0)
