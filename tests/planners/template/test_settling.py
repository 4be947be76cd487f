"""Early stop: off by default, saves evaluations, and minds no neighbours."""

from __future__ import annotations

import pytest
import torch

from armillary.contracts.optimizer import BOUNDS, generators, squared_distance, uniform
from armillary.planners.cem import CEM
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


def test_history_keeps_its_length() -> None:
    plan, _ = solve(SETTLING)
    assert plan.history.shape == (60, 3)
    assert torch.equal(plan.history[-1], plan.cost)


@pytest.mark.parametrize("tolerance", [-0.1, 1.0, float("nan")])
def test_refuses_another_tolerance(tolerance: float) -> None:
    with pytest.raises(ValueError, match=r"tolerance must be in \[0, 1\), got"):
        CEM(tolerance=tolerance)
