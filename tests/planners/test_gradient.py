"""Gradient descent through the score."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.cem import CEM
from armillary.planners.gradient import Gradient
from armillary.planners.optimizer import Bounds, Plan

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


class TestGradient(OptimizerContract):
    def make(self, samples: int = 200) -> Gradient:
        return Gradient(restarts=samples, iterations=8)


class TestPatientGradient(OptimizerContract):
    left = 0.01

    def make(self, samples: int = 200) -> Gradient:
        return Gradient(restarts=samples // 12, learning_rate=0.1)


def solve(optimizer: Gradient | CEM, score, horizon: int = 12) -> Plan:
    return optimizer.optimize(score, torch.zeros(10, horizon, 2), BOUNDS, generators(10))


def watched(optimizer: Gradient) -> list[Tensor]:
    """The points (S, T, A) of every iteration on the way to 0.9 everywhere."""
    seen: list[Tensor] = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions[0].detach().clone())
        return (actions - 0.9).square().sum((2, 3))

    optimizer.optimize(score, torch.zeros(1, 3, 2), BOUNDS, generators(1))
    return seen


def test_takes_the_steps_of_adam() -> None:
    optimizer = Gradient(restarts=4, iterations=6, learning_rate=0.1)
    seen = watched(optimizer)
    point = seen[0].clone().requires_grad_()
    adam = torch.optim.Adam([point])
    for number, points in enumerate(seen):
        assert_close(points, point.detach())
        adam.param_groups[0]["lr"] = 0.1 * (1 - number / 6)
        adam.zero_grad()
        (point - 0.9).square().sum().backward()
        adam.step()
        with torch.no_grad():
            point.clamp_(-1, 1)


def test_steps_are_in_halves_of_the_range_of_the_bounds() -> None:
    narrow = Bounds(BOUNDS.low * 1e-3, BOUNDS.high * 1e-3)
    costs = [
        Gradient(restarts=4).optimize(
            lambda actions, unit=bounds.high[0]: (actions / unit - 0.7).square().sum((2, 3)),
            torch.zeros(3, 4, 2),
            bounds,
            generators(3),
        )
        for bounds in (BOUNDS, narrow)
    ]
    assert_close(costs[0].cost, costs[1].cost, atol=1e-4, rtol=0)
    assert costs[0].cost.max() < 0.01


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1e12, 1e30])
def test_the_unit_of_the_scores_does_not_matter(method: str, unit: float) -> None:
    def score(actions: Tensor) -> Tensor:
        return (actions - 0.9).square().mean((2, 3))

    search = Gradient(restarts=4, method=method)
    one = solve(search, score)
    other = solve(search, lambda actions: score(actions) * unit)
    assert_close(other.actions, one.actions, atol=1e-4, rtol=0)
    assert one.cost.max() < 1e-3


def test_restarts_leave_local_minima() -> None:
    def score(actions: Tensor) -> Tensor:
        """Rastrigin's function, whose minimum is away from the warm start."""
        x = 3 * actions - 1.2
        return (x.square() - (2 * torch.pi * x).cos() + 1).sum((2, 3))

    one, many = (
        solve(Gradient(restarts=n, learning_rate=0.03), score, horizon=1).cost for n in (1, 64)
    )
    assert many.mean() < 0.3 * one.mean()


def test_needs_a_tenth_of_the_evaluations_of_cem_where_the_score_is_smooth() -> None:
    goal = torch.tensor([0.7, -0.4])

    def score(actions: Tensor) -> Tensor:
        """A point that is pushed, and the effort."""
        path = (0.15 * actions.tanh()).cumsum(2)
        return (path - goal).square().sum((2, 3)) + 0.01 * actions.square().sum((2, 3))

    gradient, cem = solve(Gradient(restarts=8), score), solve(CEM(), score)
    assert gradient.cost.mean() < 1.001 * cem.cost.mean()
    assert (gradient.evaluations < 0.1 * cem.evaluations).all()


def test_scores_are_asked_without_gradient_by_others() -> None:
    asked = []

    def score(actions: Tensor) -> Tensor:
        asked.append(actions.requires_grad)
        return actions.sum((2, 3))

    solve(CEM(samples=8, iterations=1, elites=2), score)
    solve(Gradient(restarts=2, iterations=1), score)
    assert asked == [False, True]


def test_nothing_of_the_graph_is_left_in_a_plan() -> None:
    plan = solve(Gradient(restarts=2, iterations=2), lambda actions: actions.sum((2, 3)))
    for tensor in (plan.actions, plan.cost, plan.history, plan.mean, plan.spread, plan.elites):
        assert not tensor.requires_grad


def test_a_score_without_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match=r"true physics never do.*planner=cem, icem or mppi"):
        solve(Gradient(), lambda actions: actions.detach().sum((2, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"restarts": 0}, "restarts must be a whole number of at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate must be in \(0, 1\], got 0.0"),
        ({"std": 0.0}, "std must be positive and finite, got 0.0"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gradient(**arguments)  # pyright: ignore[reportArgumentType]
