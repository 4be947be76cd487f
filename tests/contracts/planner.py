"""What every planner promises; the test class of one that searches nothing inherits this suite."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import reduce

import pytest
import torch
from torch import Tensor

from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan, Score

BOUNDS = Bounds(torch.tensor([-2.0, -0.5, 0.1]), torch.tensor([1.0, 0.5, 3.0]))
FIELDS = ("actions", "cost", "history", "mean", "spread", "elites", "evaluations")


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


class PlannerContract:
    """Inherit, name the class ``Test...`` and define ``make``; ``posed`` where states matter."""

    def make(self, samples: int = 200) -> ActionOptimizer:
        """An optimizer with this many candidates in its first iteration."""
        raise NotImplementedError

    def posed(self, score: Score, init: Tensor) -> Score:
        """What the optimizer is given for a score and a warm start (B, T, A): the score itself.

        One that looks at states is given a ``Situation`` that scores candidates like this.
        """
        return score

    def ask(
        self,
        score: Score,
        init: Tensor,
        drawing: Sequence[torch.Generator],
        proposals: Tensor | None = None,
        samples: int = 200,
        bounds: Bounds = BOUNDS,
    ) -> Plan:
        """What an optimizer finds."""
        made = self.make(samples)
        return made.optimize(self.posed(score, init), init, bounds, drawing, proposals)

    def solve(
        self,
        target: Tensor,
        init: Tensor,
        samples: int = 200,
        proposals: Tensor | None = None,
        first: int = 0,
    ) -> Plan:
        """Minimises the distance to ``target``; problem b's generator has the seed first + b."""
        drawing = generators(len(init), first)
        return self.ask(squared_distance(target), init, drawing, proposals, samples)

    # What it finds

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
    def test_proposals_are_tried(self, place: int) -> None:
        target = uniform(4, 3, seed=1)
        proposals = torch.full((4, 3, 3, 3), 50.0)
        proposals[:, place] = target
        plan = self.solve(target, uniform(4, 3, seed=2), proposals=proposals)
        assert torch.equal(plan.actions, target)
        assert torch.equal(plan.cost, torch.zeros(4))

    # What it keeps

    @pytest.mark.parametrize("scale", [1.0, 30.0])
    def test_every_candidate_is_within_the_bounds(self, scale: float) -> None:
        seen: list[Tensor] = []

        def score(actions: Tensor) -> Tensor:
            seen.append(actions.clone())
            return actions.sum((2, 3))

        init, proposals = scale * uniform(2, 4), scale * uniform(2, 5, 4)
        plan = self.ask(score, init, generators(2), proposals=proposals)
        for actions in (*seen, plan.actions, plan.elites):
            assert (actions >= BOUNDS.low).all()
            assert (actions <= BOUNDS.high).all()

    def test_shapes_of_a_plan(self) -> None:
        init = uniform(2, 4)
        plan = self.solve(uniform(2, 4, seed=1), init)
        assert plan.actions.shape == plan.mean.shape == plan.spread.shape == init.shape
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

        plan = self.ask(score, uniform(3, 4), generators(3))
        assert torch.equal(plan.cost, torch.cat(seen, 1).amin(1))
        best = torch.stack([scores.amin(1) for scores in seen]).cummin(0).values
        assert torch.equal(plan.history, best)

    def test_history_never_rises(self) -> None:
        plan = self.solve(uniform(5, 4, seed=1), uniform(5, 4))
        assert (plan.history.diff(dim=0) <= 0).all()
        assert torch.equal(plan.history[-1], plan.cost)

    def test_counts_what_it_asks_the_model(self) -> None:
        scored = 0

        def score(actions: Tensor) -> Tensor:
            nonlocal scored
            scored += actions.shape[1]
            return squared_distance(uniform(1, 4, seed=1))(actions)

        plan = self.ask(score, uniform(1, 4), generators(1))
        assert plan.evaluations.tolist() == [scored]

    def test_spread_is_a_standard_deviation(self) -> None:
        plan = self.solve(uniform(3, 4, seed=1), uniform(3, 4))
        assert (plan.spread >= 0).all()
        assert plan.spread.isfinite().all()

    def test_keeps_nothing_between_plans(self) -> None:
        optimizer = self.make()
        target, init = uniform(2, 4, seed=1), uniform(2, 4)
        score = squared_distance(target)
        before = optimizer.optimize(self.posed(score, init), init, BOUNDS, generators(2))
        optimizer.optimize(
            self.posed(squared_distance(init), target), target, BOUNDS, generators(2, first=5)
        )
        assert_same(
            before, optimizer.optimize(self.posed(score, init), init, BOUNDS, generators(2))
        )

    def test_leaves_its_arguments_alone(self) -> None:
        init, proposals = 5 * uniform(2, 4), 5 * uniform(2, 3, 4)
        before = init.clone(), proposals.clone()
        self.solve(uniform(2, 4, seed=1), init, proposals=proposals)
        assert torch.equal(init, before[0])
        assert torch.equal(proposals, before[1])

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
        proposals = uniform(problems, 2, horizon, seed=3)
        together = self.solve(target, init, samples, proposals)
        for b in range(problems):
            one = slice(b, b + 1)
            alone = self.solve(target[one], init[one], samples, proposals[one], first=b)
            assert_same(alone, together, row=b)

    # Bad scores

    def test_survives_some_nan_and_says_how_many(self, caplog: pytest.LogCaptureFixture) -> None:
        target = BOUNDS.low.expand(4, 3, -1)

        def score(actions: Tensor) -> Tensor:
            broken = actions[:, :, 0, 0] > -0.5
            return squared_distance(target)(actions).masked_fill(broken, torch.nan)

        with caplog.at_level(logging.WARNING):
            plan = self.ask(score, target + 1.4, generators(4))
        assert plan.cost.isfinite().all()
        assert (plan.actions[:, 0, 0] <= -0.5).all()
        assert plan.history.isnan().sum() == 0
        assert len(caplog.records) == 1
        assert "scored NaN" in caplog.text

    def test_minus_infinity_never_wins(self) -> None:
        target = BOUNDS.low.expand(4, 3, -1)

        def score(actions: Tensor) -> Tensor:
            broken = actions[:, :, 0, 0] > -0.5
            return squared_distance(target)(actions).masked_fill(broken, -torch.inf)

        plan = self.ask(score, target + 1.4, generators(4))
        assert plan.cost.isfinite().all()
        assert plan.history.min() >= 0
        assert (plan.actions[:, 0, 0] <= -0.5).all()

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
    def test_refuses_a_problem_without_a_valid_score(self, bad: float) -> None:
        target = uniform(3, 4, seed=1)

        def score(actions: Tensor) -> Tensor:
            scores = squared_distance(target)(actions)
            scores[1] = bad
            return scores

        with pytest.raises(ValueError, match=r"NaN or infinite for problem \[1\]"):
            self.ask(score, uniform(3, 4), generators(3))

    @pytest.mark.parametrize("shape", [(2,), (2, 1), (4, 2), (2, 200, 1)])
    def test_refuses_scores_of_another_shape(self, shape: Sequence[int]) -> None:
        with pytest.raises(ValueError, match=r"to \(B, S\) = \(2, \d+\), got \("):
            self.ask(lambda _: torch.zeros(shape), uniform(2, 4), generators(2))

    # Types

    @pytest.mark.parametrize("init", [torch.float32, torch.float64])
    @pytest.mark.parametrize("other", [torch.float32, torch.float64])
    def test_types_may_differ(self, init: torch.dtype, other: torch.dtype) -> None:
        target, bounds = uniform(2, 4, seed=1), Bounds(BOUNDS.low.to(other), BOUNDS.high.to(other))

        def score(actions: Tensor) -> Tensor:
            assert actions.dtype == init
            return squared_distance(target)(actions).to(other)

        start, proposals = uniform(2, 4).to(init), uniform(2, 2, 4).to(other)
        plan = self.ask(score, start, generators(2), bounds=bounds, proposals=proposals)
        assert {plan.actions.dtype, plan.mean.dtype, plan.elites.dtype} == {init}
        assert (plan.actions.to(other) >= bounds.low).all()
        assert (plan.actions.to(other) <= bounds.high).all()

    def test_refuses_a_warm_start_of_whole_numbers(self) -> None:
        init = torch.zeros(2, 4, 3, dtype=torch.int64)
        with pytest.raises(ValueError, match="floating point, such as float32, got"):
            self.ask(squared_distance(init), init, generators(2))

    # Bad arguments

    @pytest.mark.parametrize("shape", [(2, 4, 2), (4, 3), (2, 0, 3), (1, 2, 4, 3)])
    def test_refuses_another_warm_start(self, shape: Sequence[int]) -> None:
        with pytest.raises(ValueError, match=r"init must be \(B, T, A\) with A = 3"):
            self.ask(squared_distance(torch.zeros(shape)), torch.zeros(shape), generators(2))

    def test_refuses_another_number_of_generators(self) -> None:
        with pytest.raises(ValueError, match="each of the 2 problems, got 3"):
            self.ask(squared_distance(uniform(2, 4)), uniform(2, 4), generators(3))

    @pytest.mark.parametrize("shape", [(2, 4, 3), (1, 5, 4, 3), (2, 5, 3, 3), (2, 5, 4, 2)])
    def test_refuses_other_proposals(self, shape: Sequence[int]) -> None:
        with pytest.raises(ValueError, match=r"proposals must be \(B, E, T, A\) = \(2, E, 4, 3\)"):
            self.solve(uniform(2, 4), uniform(2, 4), proposals=torch.zeros(shape))


def assert_same(one: Plan, other: Plan, row: int | None = None) -> None:
    """Bit by bit; ``one`` may be the plan of problem ``row`` of ``other`` alone."""
    for name in FIELDS:
        first, second = getattr(one, name), getattr(other, name)
        if row is not None:
            problem = slice(row, row + 1)
            second = second[:, problem] if name == "history" else second[problem]
        assert torch.equal(first, second), name
