"""What a search is given: scores of any type, and gradients or one line that says what fits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import BOUNDS, generators, uniform
from armillary.planners.cem import CEM
from armillary.planners.template.problem import Problem


def problem(score) -> Problem:
    return Problem(score, uniform(2, 1), BOUNDS, generators(2), None)


def test_whole_numbers_are_scores() -> None:
    plan = CEM(samples=20, iterations=2, elites=3).optimize(
        lambda actions: actions.sum((2, 3)).round().long(), uniform(2, 1), BOUNDS, generators(2)
    )
    assert plan.cost.is_floating_point()
    assert torch.equal(plan.cost, plan.actions.sum((1, 2)).round())


def test_a_gradient_is_each_candidates_own_and_zero_where_it_is_none() -> None:
    weights = torch.tensor([2.0, torch.nan, torch.inf, -torch.inf])

    def score(actions: Tensor) -> Tensor:
        return (actions.square() * weights.view(1, 4, 1, 1)).sum((2, 3))

    candidates = uniform(2, 4, seed=3)
    scores = problem(score).evaluate(candidates, gradient=True)
    assert not scores.requires_grad
    assert candidates.grad is not None
    assert torch.allclose(candidates.grad[:, 0], 4 * candidates[:, 0])
    assert (candidates.grad[:, 1:] == 0).all()


@torch.no_grad()
def unable(actions: Tensor) -> Tensor:
    return actions.sum((2, 3))


def of_something_else(actions: Tensor) -> Tensor:
    return torch.zeros(actions.shape[:2], requires_grad=True) + 1


@pytest.mark.parametrize("score", [unable, of_something_else])
def test_a_score_without_gradient_is_refused_in_one_line(score) -> None:
    with pytest.raises(ValueError, match="planner=cem, icem or mppi") as told:
        problem(score).evaluate(uniform(2, 2), gradient=True)
    assert "\n" not in str(told.value)
