"""L-BFGS through the score: ``planner=gradient`` with ``method=lbfgs``."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import (
    OptimizerContract,
    assert_same,
    generators,
    squared_distance,
    uniform,
)
from armillary.planners.gradient import Gradient
from armillary.planners.lbfgs import two_loop
from armillary.planners.optimizer import Bounds, Plan, Score

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


class TestLBFGS(OptimizerContract):
    """So few iterations that all starts do not end at the same point."""

    left = 0.02

    def make(self, samples: int = 200) -> Gradient:
        return Gradient(method="lbfgs", restarts=samples, iterations=4)


def solve(method: str, score: Score, iterations: int = 30, restarts: int = 1) -> Plan:
    search = Gradient(method=method, restarts=restarts, iterations=iterations)
    return search.optimize(score, torch.zeros(5, 4, 2), BOUNDS, generators(5))


def hessian(condition: float, size: int = 8, seed: int = 0) -> Tensor:
    """Eigenvalues from 1 to ``condition``, whose directions are along no axis."""
    drawn = torch.randn(size, size, generator=torch.Generator().manual_seed(seed)).double()
    axes, _ = torch.linalg.qr(drawn)
    return axes * torch.logspace(0, 1, size, base=condition).double() @ axes.T


def quadratic(curvature: Tensor, target: float) -> Score:
    def score(actions: Tensor) -> Tensor:
        away = actions.flatten(2) - target
        return ((away @ curvature.to(away)) * away).sum(2)

    return score


def seen_by(
    score: Callable[[Tensor], Tensor], iterations: int = 12, init: float = 0.0, rate: float = 0.2
) -> list[Tensor]:
    """The only point (T * A,) of every iteration, T = 3, A = 2."""
    seen: list[Tensor] = []

    def watched(actions: Tensor) -> Tensor:
        seen.append(actions.detach().flatten().clone())
        return score(actions.flatten(2))

    search = Gradient(method="lbfgs", restarts=1, iterations=iterations, learning_rate=rate)
    search.optimize(watched, torch.full((1, 3, 2), init), BOUNDS, generators(1))
    return seen


# The direction


def dense(steps: Tensor, changes: Tensor, scale: float) -> Tensor:
    """The inverse Hessian of BFGS, (N, N) (Nocedal & Wright 2006, equation 6.17)."""
    unit = torch.eye(steps.shape[1], dtype=steps.dtype)
    inverse = scale * unit
    for s, y in zip(steps, changes, strict=True):
        rho = 1 / (y @ s)
        left = unit - rho * torch.outer(s, y)
        inverse = left @ inverse @ left.T + rho * torch.outer(s, s)
    return inverse


def pairs(*leading: int) -> tuple[Tensor, Tensor, Tensor]:
    """Steps and changes (5, *leading, 6) of a convex quadratic, and a gradient (*leading, 6)."""
    drawn = torch.randn(6, *leading, 6, generator=torch.Generator().manual_seed(3)).double()
    return drawn[:5], drawn[:5] @ hessian(100.0, 6), drawn[5]


def test_the_two_loops_are_the_update_of_the_inverse_hessian() -> None:
    steps, changes, gradient = pairs(2, 3)
    found = two_loop(gradient, steps, changes, torch.ones(2, 3, 1).double())
    for place in ((0, 0), (1, 2)):
        s, y = steps[:, *place], changes[:, *place]
        scale = float(s[-1] @ y[-1] / (y[-1] @ y[-1]))
        assert_close(found[place], dense(s, y, scale) @ gradient[place])


def test_pairs_whose_curvature_is_not_positive_are_left_out_of_each_history_alone() -> None:
    steps, changes, gradient = pairs(2)
    changes[4, 0] *= -1
    changes[2, 1] = steps[2, 1] = 0.0
    found = two_loop(gradient, steps, changes, torch.ones(2, 1).double())
    for place, left, newest in ((0, [0, 1, 2, 3], 3), (1, [0, 1, 3, 4], 4)):
        s, y = steps[:, place], changes[:, place]
        scale = float(s[newest] @ y[newest] / (y[newest] @ y[newest]))
        assert_close(found[place], dense(s[left], y[left], scale) @ gradient[place])


def test_without_pairs_it_is_the_gradient_by_the_scale() -> None:
    gradient, none = torch.randn(3, 6), torch.zeros(8, 3, 6)
    scale = torch.tensor([[2.0], [0.5], [1.0]])
    assert_close(two_loop(gradient, none, none, scale), scale * gradient)


# The steps


def test_a_first_step_is_as_long_as_it_was_told() -> None:
    slope = torch.tensor([1.0, -2.0, 0.5, 4.0, 0.0, -1.0])
    first, second = seen_by(lambda points: points @ slope, 2)
    assert_close(second - first, -0.2 * slope / 4)


def test_steps_double_while_scores_fall_and_halve_from_the_best_point_where_they_do_not() -> None:
    """A slope, a ditch and a wall, neither of which tells a curvature."""
    slope = torch.ones(6) / 6

    def score(points: Tensor) -> Tensor:
        x = points[..., 0]
        return (points @ slope).masked_fill((x < -0.25) & (x > -0.35) | (x < -0.87), torch.inf)

    seen = [points[0].item() for points in seen_by(score, 9, rate=0.1)]
    wanted = [0.0, -0.1, -0.3, -0.2, -0.4, -0.8, -1.0, -0.9, -0.85]
    assert seen == pytest.approx(wanted, abs=1e-6)


def test_curvature_is_learnt_from_steps_that_went_too_far() -> None:
    """The second step of a parabola goes to its minimum, though the first missed it."""
    seen = seen_by(lambda points: (points - 0.05).square().sum(2), 3, rate=1.0)
    assert_close(seen[1], torch.ones(6))
    assert_close(seen[2], torch.full((6,), 0.05))


def test_an_ill_conditioned_valley_takes_less_than_a_tenth_of_adams_evaluations() -> None:
    score = quadratic(hessian(1e3), 0.3)
    lbfgs, adam = solve("lbfgs", score, 60), solve("adam", score, 600)
    assert (lbfgs.cost < 1e-8 * lbfgs.history[0]).all()
    assert (lbfgs.cost < 1e-2 * adam.cost).all()
    assert lbfgs.evaluations.tolist() == [60] * 5


def test_a_narrow_curved_valley_is_followed_to_its_end() -> None:
    def rosenbrock(actions: Tensor) -> Tensor:
        x = 2 * actions.flatten(2)
        rise = 100 * (x[..., 1:] - x[..., :-1].square()).square()
        return (rise + (1 - x[..., :-1]).square()).sum(2)

    lbfgs, adam = (solve(method, rosenbrock, 150) for method in ("lbfgs", "adam"))
    assert (lbfgs.cost < 1e-6).all()
    assert (adam.cost > 1e-3).all()


# Bounds


def test_where_bounds_are_active_it_ends_at_the_constrained_minimum() -> None:
    """By projected gradient descent in steps that are short enough, to its end."""
    curvature = hessian(100.0)
    point = torch.zeros(8).double()
    for _ in range(20_000):
        point = (point - 2 * curvature @ (point - 1.2) / 200).clamp(-1, 1)
    expected = (point - 1.2) @ curvature @ (point - 1.2)
    assert 0 < (point.abs() == 1).sum() < 8
    plan = solve("lbfgs", quadratic(curvature, 1.2), 60)
    assert_close(plan.cost.double(), expected.expand(5), rtol=1e-5, atol=0)
    assert_close(plan.actions.double().flatten(1), point.expand(5, -1), rtol=0, atol=1e-3)


def test_what_is_held_by_a_border_does_not_shorten_the_steps_of_others() -> None:
    slope = torch.tensor([-100.0, 0.1, 0.1, 0.1, 0.1, 0.1])
    first, second, third = seen_by(lambda points: points @ slope, 3, init=1.0)
    assert_close(second, first - 0.2 * (slope > 0))
    assert_close(third, first - 0.6 * (slope > 0))


def test_the_border_is_left_again() -> None:
    def score(points: Tensor) -> Tensor:
        return (points - torch.linspace(-0.9, 0.9, 6)).square().sum(2)

    assert_close(seen_by(score, init=1.0)[-1], torch.linspace(-0.9, 0.9, 6))


def test_steps_are_in_halves_of_the_range_of_the_bounds() -> None:
    curvature = hessian(100.0)
    costs = []
    for unit in (1.0, 2.0**-10):
        bounds = Bounds(unit * BOUNDS.low, unit * BOUNDS.high)
        plan = Gradient(method="lbfgs", restarts=4, iterations=12).optimize(
            lambda actions, unit=unit: quadratic(curvature, 0.9)(actions / unit),
            torch.zeros(3, 4, 2),
            bounds,
            generators(3),
        )
        costs.append(plan.cost)
    assert_close(*costs)


def test_numbers_without_range_hinder_no_others() -> None:
    bounds = Bounds(torch.tensor([-1.0, 0.3]), torch.tensor([1.0, 0.3]))
    curvature = hessian(100.0)
    inner = curvature[::2, ::2]
    point = 0.2 - torch.linalg.solve(inner, curvature[::2, 1::2] @ torch.full((4,), 0.1).double())
    away = torch.stack([point - 0.2, torch.full((4,), 0.1).double()], 1).flatten()
    plan = Gradient(method="lbfgs", restarts=2).optimize(
        quadratic(curvature, 0.2), torch.zeros(2, 4, 2), bounds, generators(2)
    )
    assert point.abs().max() < 1
    assert_close(plan.cost.double(), (away @ curvature @ away).expand(2), rtol=1e-4, atol=0)


# Types, batches and bad numbers


def test_double_precision_goes_further() -> None:
    search = Gradient(method="lbfgs", restarts=2, iterations=80)
    score, drawing = quadratic(hessian(100.0), 0.3), generators(2)
    plan = search.optimize(score, torch.zeros(2, 4, 2).double(), BOUNDS, drawing)
    assert plan.cost.dtype == torch.float64
    assert (plan.cost < 1e-20).all()


@pytest.mark.parametrize("tolerance", [0.0, 0.01])
def test_a_plan_does_not_depend_on_its_batch_nor_on_how_gradients_lie(tolerance: float) -> None:
    """Candidates last, as a model may compute them; with curvature learnt and bounds met."""
    scales = torch.logspace(0, 2, 15)
    target = 1.5 * uniform(6, 5, seed=1)

    def score(wanted: Tensor) -> Score:
        def last(actions: Tensor) -> Tensor:
            moved = actions.flatten(2).permute(2, 0, 1).contiguous()
            aim = wanted.flatten(1).T.unsqueeze(2)
            return reduce(torch.add, ((moved - aim).square() * scales[:, None, None]).unbind(0))

        return last

    search = Gradient(method="lbfgs", restarts=7, iterations=20, tolerance=tolerance)
    bounds = Bounds(torch.tensor([-2.0, -0.5, 0.1]), torch.tensor([1.0, 0.5, 3.0]))
    init = uniform(6, 5)
    together = search.optimize(score(target), init, bounds, generators(6))
    for b in range(6):
        one = slice(b, b + 1)
        alone = search.optimize(score(target[one]), init[one], bounds, generators(1, first=b))
        assert_same(alone, together, row=b)


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1.0, 1e12, 1e30])
def test_costs_may_be_of_any_size(size: float) -> None:
    score = quadratic(hessian(100.0).float(), 0.3)
    plan = solve("lbfgs", lambda actions: size * score(actions), 60)
    assert (plan.cost < 1e-5 * plan.history[0]).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 3e38])
def test_bad_gradients_keep_candidates_within_the_bounds(bad: float) -> None:
    distance, seen = squared_distance(torch.full((5, 4, 2), 0.9)), []

    def score(actions: Tensor) -> Tensor:
        """Its gradient is bad where the first number is above a half."""
        seen.append(actions.detach().clone())
        over = actions[:, :, 0, 0] > 0.5
        hook = torch.where(over[..., None, None], bad, 1.0).expand_as(actions)
        if actions.requires_grad:
            actions.register_hook(lambda gradient: gradient * hook)
        return distance(actions)

    plan = solve("lbfgs", score, 20, restarts=6)
    for actions in (*seen, plan.actions):
        assert (actions.abs() <= 1).all()
    assert (plan.cost < plan.history[0]).all()


def test_goes_on_from_where_scores_are_infinite_along_a_gradient_and_back_from_there() -> None:
    """The warm start scores infinity; what lies beyond the minimum too."""

    def score(points: Tensor) -> Tensor:
        bad = (points[..., 0] > 0.7) | (points[..., 0] < 0.35)
        return (points - 0.4).square().sum(2) + torch.zeros(bad.shape).masked_fill(bad, torch.inf)

    assert_close(seen_by(score, 30, init=1.0)[-1], torch.full((6,), 0.4), rtol=0, atol=1e-3)


def test_refuses_another_method_and_names_those_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"unknown method 'bfgs'; did you mean 'lbfgs'.*adam, lbfgs"
    ):
        Gradient(method="bfgs")
