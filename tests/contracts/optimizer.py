"""What every action optimizer promises; an optimizer's test class inherits this suite."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import reduce

import pytest
import torch
from torch import Tensor

from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan

BOUNDS = Bounds(torch.tensor([-2.0, -0.5, 0.1]), torch.tensor([1.0, 0.5, 3.0]))
FIELDS = ("actions", "cost", "history", "mean", "elites")


def generators(count: int, first: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(first + i) for i in range(count)]


def uniform(*leading: int, seed: int = 0) -> Tensor:
    """Actions (*leading, A) uniform within the bounds."""
    drawn = torch.rand(*leading, len(BOUNDS.low), generator=torch.Generator().manual_seed(seed))
    return BOUNDS.low + (BOUNDS.high - BOUNDS.low) * drawn


def squared_distance(target: Tensor) -> Callable[[Tensor], Tensor]:
    """A score (B, S, T, A) -> (B, S) that rounds the same for any batch: it adds one by one."""

    def score(actions: Tensor) -> Tensor:
        terms = (actions - target.unsqueeze(1)).square().flatten(2)
        return reduce(torch.add, terms.unbind(2))

    return score


class OptimizerContract:
    """Inherit, name the class ``Test...`` and define ``make``.

    Attributes:
        left: the share of the warm start's cost on a quadratic that may be left, on average.
    """

    left = 0.04

    def make(self, samples: int = 200) -> ActionOptimizer:
        """An optimizer with this many candidates in its first iteration."""
        raise NotImplementedError

    def solve(
        self,
        target: Tensor,
        init: Tensor,
        samples: int = 200,
        seeds: Tensor | None = None,
        first: int = 0,
    ) -> Plan:
        """Minimises the distance to ``target``; problem b's generator has the seed first + b."""
        drawing = generators(len(init), first)
        optimizer = self.make(samples)
        return optimizer.optimize(squared_distance(target), init, BOUNDS, drawing, seeds)

    # What it finds

    def test_finds_the_minimum_of_a_quadratic(self) -> None:
        target, init = uniform(8, 4, seed=1), uniform(8, 4, seed=2)
        plan = self.solve(target, init)
        before = squared_distance(target)(init.unsqueeze(1))[:, 0]
        assert (plan.cost / before).mean() < self.left

    def test_finds_a_minimum_outside_the_bounds_on_their_border(self) -> None:
        target = BOUNDS.high.expand(4, 3, -1) + 1.0
        plan = self.solve(target, uniform(4, 3))
        assert (plan.actions <= BOUNDS.high).all()
        room = (BOUNDS.high - plan.actions) / (BOUNDS.high - BOUNDS.low)
        assert room.mean() < 0.3

    def test_more_samples_are_better(self) -> None:
        target, init = uniform(40, 5, seed=1), uniform(40, 5, seed=2)
        few, many = (self.solve(target, init, samples).cost for samples in (64, 512))
        assert many.mean() < few.mean()
        assert (many < few).float().mean() > 0.6

    def test_is_never_worse_than_the_warm_start(self) -> None:
        target = uniform(4, 3, seed=1)
        near = (target + 1e-4).clamp(BOUNDS.low, BOUNDS.high)
        plan = self.solve(target, near)
        assert (plan.cost <= squared_distance(target)(near.unsqueeze(1))[:, 0]).all()
        assert (plan.cost < self.solve(target, uniform(4, 3, seed=2)).cost).all()

    def test_the_warm_start_is_clipped_to_the_bounds(self) -> None:
        plan = self.solve(BOUNDS.high.expand(2, 3, -1), torch.full((2, 3, 3), 50.0))
        assert torch.equal(plan.cost, torch.zeros(2))

    @pytest.mark.parametrize("place", [0, 2])
    def test_seeds_are_tried(self, place: int) -> None:
        target = uniform(4, 3, seed=1)
        seeds = torch.full((4, 3, 3, 3), 50.0)
        seeds[:, place] = target
        plan = self.solve(target, uniform(4, 3, seed=2), seeds=seeds)
        assert torch.equal(plan.actions, target)
        assert torch.equal(plan.cost, torch.zeros(4))

    # What it keeps

    @pytest.mark.parametrize("scale", [1.0, 30.0])
    def test_every_candidate_is_within_the_bounds(self, scale: float) -> None:
        seen: list[Tensor] = []

        def score(actions: Tensor) -> Tensor:
            seen.append(actions.clone())
            return actions.sum((2, 3))

        init, seeds = scale * uniform(2, 4), scale * uniform(2, 5, 4)
        plan = self.make().optimize(score, init, BOUNDS, generators(2), seeds)
        for actions in (*seen, plan.actions, plan.elites):
            assert (actions >= BOUNDS.low).all()
            assert (actions <= BOUNDS.high).all()

    def test_an_action_without_range_stays_put(self) -> None:
        bounds = Bounds(torch.tensor([-1.0, 0.3]), torch.tensor([1.0, 0.3]))
        plan = self.make().optimize(
            lambda actions: actions.square().sum((2, 3)),
            torch.zeros(1, 3, 2),
            bounds,
            generators(1),
        )
        assert (plan.actions[..., 1] == bounds.low[1]).all()
        assert plan.cost.isfinite().all()

    def test_shapes_of_a_plan(self) -> None:
        init = uniform(2, 4)
        plan = self.solve(uniform(2, 4, seed=1), init)
        assert plan.actions.shape == plan.mean.shape == init.shape
        assert plan.cost.shape == (2,)
        assert plan.history.shape[1:] == (2,)
        assert plan.elites.shape[0::2] == (2, 4)
        assert plan.elites.shape[1] >= 1

    def test_the_cost_is_the_score_of_the_plan(self) -> None:
        target = uniform(5, 4, seed=1)
        plan = self.solve(target, uniform(5, 4))
        assert torch.equal(plan.cost, squared_distance(target)(plan.actions.unsqueeze(1))[:, 0])

    def test_the_plan_is_the_best_that_was_scored(self) -> None:
        target, seen = uniform(3, 4, seed=1), []

        def score(actions: Tensor) -> Tensor:
            seen.append(squared_distance(target)(actions))
            return seen[-1]

        plan = self.make().optimize(score, uniform(3, 4), BOUNDS, generators(3))
        assert torch.equal(plan.cost, torch.cat(seen, 1).amin(1))
        best = torch.stack([scores.amin(1) for scores in seen]).cummin(0).values
        assert torch.equal(plan.history, best)

    def test_history_never_rises(self) -> None:
        plan = self.solve(uniform(5, 4, seed=1), uniform(5, 4))
        assert (plan.history.diff(dim=0) <= 0).all()
        assert torch.equal(plan.history[-1], plan.cost)

    def test_keeps_nothing_between_plans(self) -> None:
        optimizer = self.make()
        target, init = uniform(2, 4, seed=1), uniform(2, 4)
        score = squared_distance(target)
        before = optimizer.optimize(score, init, BOUNDS, generators(2))
        optimizer.optimize(squared_distance(init), target, BOUNDS, generators(2, first=5))
        assert_same(before, optimizer.optimize(score, init, BOUNDS, generators(2)))

    def test_leaves_its_arguments_alone(self) -> None:
        init, seeds = 5 * uniform(2, 4), 5 * uniform(2, 3, 4)
        before = init.clone(), seeds.clone()
        self.solve(uniform(2, 4, seed=1), init, seeds=seeds)
        assert torch.equal(init, before[0])
        assert torch.equal(seeds, before[1])

    # Randomness

    def test_generators_decide(self) -> None:
        target, init = uniform(2, 4, seed=1), uniform(2, 4)
        assert_same(self.solve(target, init), self.solve(target, init))
        assert not torch.equal(
            self.solve(target, init).actions, self.solve(target, init, first=7).actions
        )

    def test_global_random_state_is_neither_read_nor_changed(self) -> None:
        target, init = uniform(2, 4, seed=1), uniform(2, 4)
        torch.manual_seed(0)
        before = torch.get_rng_state()
        plan = self.solve(target, init)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(1)
        assert_same(plan, self.solve(target, init))

    @pytest.mark.parametrize(
        ("problems", "samples", "horizon"),
        [(2, 37, 1), (3, 64, 3), (5, 101, 5), (9, 400, 8), (3, 1000, 17)],
    )
    def test_a_plan_does_not_depend_on_who_shares_its_batch(
        self, problems: int, samples: int, horizon: int
    ) -> None:
        """Bit by bit, also where the work is split among threads."""
        target, init = uniform(problems, horizon, seed=1), uniform(problems, horizon)
        seeds = uniform(problems, 2, horizon, seed=3)
        together = self.solve(target, init, samples, seeds)
        for b in range(problems):
            one = slice(b, b + 1)
            alone = self.solve(target[one], init[one], samples, seeds[one], first=b)
            assert_same(alone, together, row=b)

    # Bad scores

    def test_survives_some_nan_and_says_how_many(self, caplog: pytest.LogCaptureFixture) -> None:
        target = BOUNDS.low.expand(4, 3, -1)

        def score(actions: Tensor) -> Tensor:
            broken = actions[:, :, 0, 0] > -0.5
            return squared_distance(target)(actions).masked_fill(broken, torch.nan)

        with caplog.at_level(logging.WARNING):
            plan = self.make().optimize(score, target + 1.4, BOUNDS, generators(4))
        assert plan.cost.isfinite().all()
        assert (plan.actions[:, 0, 0] <= -0.5).all()
        assert plan.history.isnan().sum() == 0
        assert len(caplog.records) == 1
        assert "scored NaN" in caplog.text

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf])
    def test_refuses_a_problem_without_a_valid_score(self, bad: float) -> None:
        target = uniform(3, 4, seed=1)

        def score(actions: Tensor) -> Tensor:
            scores = squared_distance(target)(actions)
            scores[1] = bad
            return scores

        with pytest.raises(ValueError, match=r"NaN or inf for problem \[1\]"):
            self.make().optimize(score, uniform(3, 4), BOUNDS, generators(3))

    @pytest.mark.parametrize("shape", [(2,), (2, 1), (4, 2), (2, 200, 1)])
    def test_refuses_scores_of_another_shape(self, shape: Sequence[int]) -> None:
        with pytest.raises(ValueError, match=r"to \(B, S\) = \(2, \d+\), got \("):
            self.make().optimize(lambda _: torch.zeros(shape), uniform(2, 4), BOUNDS, generators(2))

    # Bad arguments

    @pytest.mark.parametrize("shape", [(2, 4, 2), (4, 3), (2, 0, 3), (1, 2, 4, 3)])
    def test_refuses_another_warm_start(self, shape: Sequence[int]) -> None:
        with pytest.raises(ValueError, match=r"init must be \(B, T, A\) with A = 3"):
            self.make().optimize(
                squared_distance(torch.zeros(shape)), torch.zeros(shape), BOUNDS, generators(2)
            )

    def test_refuses_another_number_of_generators(self) -> None:
        with pytest.raises(ValueError, match="each of the 2 problems, got 3"):
            self.make().optimize(
                squared_distance(uniform(2, 4)), uniform(2, 4), BOUNDS, generators(3)
            )

    @pytest.mark.parametrize("shape", [(2, 4, 3), (1, 5, 4, 3), (2, 5, 3, 3), (2, 5, 4, 2)])
    def test_refuses_other_seeds(self, shape: Sequence[int]) -> None:
        with pytest.raises(ValueError, match=r"seeds must be \(B, E, T, A\) = \(2, E, 4, 3\)"):
            self.solve(uniform(2, 4), uniform(2, 4), seeds=torch.zeros(shape))


def assert_same(one: Plan, other: Plan, row: int | None = None) -> None:
    """Bit by bit; ``one`` may be the plan of problem ``row`` of ``other`` alone."""
    for name in FIELDS:
        first, second = getattr(one, name), getattr(other, name)
        if row is not None:
            problem = slice(row, row + 1)
            second = second[:, problem] if name == "history" else second[problem]
        assert torch.equal(first, second), name
