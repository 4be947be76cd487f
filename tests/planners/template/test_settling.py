"""Early stop: off by default, saves evaluations, and minds no neighbours."""

from __future__ import annotations

import pytest
import torch

from armillary.contracts.optimizer import BOUNDS, generators, squared_distance, uniform
from armillary.planners.cem import CEM
from armillary.planners.icem import ICEM
from armillary.planners.mppi import MPPI
from armillary.planners.optimizer import Plan

SETTLING = CEM(samples=64, iterations=60, elites=8, tolerance=0.01)


def solve(search: CEM, rows: slice = slice(0, 3)) -> tuple[Plan, list[torch.Generator]]:
    """Plans for problems whose warm starts are far and near, so that they settle at other times."""
    target = uniform(3, 2, seed=1)
    init = torch.stack([target[0], uniform(2, seed=2), BOUNDS.high.expand(2, -1)])
    drawing = generators(3)[rows]
    return search.optimize(squared_distance(target[rows]), init[rows], BOUNDS, drawing), drawing


def test_saves_evaluations_at_nearly_the_same_cost() -> None:
    plan, _ = solve(SETTLING)
    whole, _ = solve(CEM(samples=64, iterations=60, elites=8))
    assert (whole.evaluations == 64 * 60).all()
    assert (plan.evaluations < 0.8 * whole.evaluations).all()
    assert (plan.cost < whole.cost + 0.01).all()
    assert (plan.spread.amax((1, 2)) < 0.1).all()


def test_a_problem_ends_by_itself_and_leaves_its_generator_where_it_ended() -> None:
    together, drawing = solve(SETTLING)
    assert len(set(together.evaluations.tolist())) > 1
    for b in range(3):
        alone, own = solve(SETTLING, slice(b, b + 1))
        assert torch.equal(alone.evaluations[0], together.evaluations[b])
        assert torch.equal(alone.actions[0], together.actions[b])
        assert torch.equal(own[0].get_state(), drawing[b].get_state())


def test_elites_are_those_of_the_iteration_in_which_a_search_ended() -> None:
    search = ICEM(samples=64, iterations=60, elites=8, decay=1.0, tolerance=0.01)
    together, _ = solve(search)
    assert len(set(together.evaluations.tolist())) > 1
    for b in range(3):
        alone, _ = solve(search, slice(b, b + 1))
        assert torch.equal(alone.elites[0], together.elites[b])
        assert alone.elites.shape == (1, 3, 2, 3)


@pytest.mark.parametrize(("tolerance", "iterations"), [(0.1, 4), (0.01, 8)])
def test_it_ends_where_neither_cost_nor_spread_has_changed_over_two_iterations(
    tolerance: float, iterations: int
) -> None:
    """Nothing is better than anything; the spread is 1/2, 1/4, 1/8, ... of half the range."""
    search = MPPI(samples=10, iterations=30, decay=0.5, tolerance=tolerance)
    plan = search.optimize(
        lambda actions: torch.ones(actions.shape[:2]), uniform(2, 3), BOUNDS, generators(2)
    )
    assert plan.evaluations.tolist() == [10 * iterations] * 2
    assert torch.allclose(plan.spread, 0.5 ** (iterations + 2) * (BOUNDS.high - BOUNDS.low))


def test_a_cost_that_falls_goes_on_while_it_falls_by_more_than_its_share() -> None:
    """The scores of the n-th population are 2 + 8 / 2^n."""
    asked = []

    def score(actions: torch.Tensor) -> torch.Tensor:
        asked.append(1)
        return torch.full(actions.shape[:2], 2 + 8 * 0.5 ** len(asked))

    search = MPPI(samples=10, iterations=30, decay=0.01, tolerance=0.1)
    plan = search.optimize(score, uniform(1, 3), BOUNDS, generators(1))
    assert len(asked) == 7
    assert plan.cost.item() == 2 + 8 * 0.5**7


def test_history_keeps_its_length() -> None:
    plan, _ = solve(SETTLING)
    assert plan.history.shape == (60, 3)
    assert torch.equal(plan.history[-1], plan.cost)


@pytest.mark.parametrize("tolerance", [-0.1, 1.0, float("nan")])
def test_refuses_another_tolerance(tolerance: float) -> None:
    with pytest.raises(ValueError, match=r"tolerance must be in \[0, 1\), got"):
        CEM(tolerance=tolerance)
