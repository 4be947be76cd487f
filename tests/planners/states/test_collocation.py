"""Actions and states searched together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import (
    BOUNDS,
    OptimizerContract,
    generators,
    squared_distance,
    uniform,
)
from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Bounds, Score
from armillary.planners.situation import Situation
from armillary.planners.states.collocation import Collocation
from tests.planners.situations import situation

UNIT = Bounds(-torch.ones(2), torch.ones(2))


class TestCollocation(OptimizerContract):
    def make(self, samples: int = 200) -> Collocation:
        return Collocation(restarts=samples // 4, iterations=9, period=3, lifted=2)

    def posed(self, score: Score, init: Tensor) -> Situation:
        return situation(score, init)

    def test_counts_what_it_asks_the_model(self) -> None:
        """Every point is also rolled out for its states, at two of nine iterations."""
        scored = 0

        def score(actions: Tensor) -> Tensor:
            nonlocal scored
            scored += actions.shape[1]
            return squared_distance(uniform(1, 4, seed=1))(actions)

        plan = self.ask(score, uniform(1, 4), generators(1))
        assert plan.evaluations.tolist() == [scored + 2 * 50]

    def test_the_plan_is_the_best_that_was_scored(self) -> None:
        """What lifted states promise does not count."""
        target, seen = uniform(3, 4, seed=1), []

        def score(actions: Tensor) -> Tensor:
            scores = squared_distance(target)(actions)
            if len(asked) % 13 not in (3, 4, 8, 9):  # after every third rollout two lifted steps
                seen.append(scores.detach())
            asked.append(1)
            return scores

        asked: list[int] = []
        plan = self.ask(score, uniform(3, 4), generators(3))
        assert len(asked) == 13
        assert torch.equal(plan.cost, torch.cat(seen, 1).amin(1))
        best = torch.stack([scores.amin(1) for scores in seen]).cummin(0).values
        assert torch.equal(plan.history, best)


def test_one_step_has_no_state_between() -> None:
    plan = Collocation(restarts=4).optimize(
        situation(squared_distance(uniform(2, 1, seed=1)), uniform(2, 1)),
        uniform(2, 1),
        BOUNDS,
        generators(2),
    )
    assert (plan.cost < 0.05).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_score_that_breaks_off_leaves_actions_finite(bad: float) -> None:
    def score(actions: Tensor) -> Tensor:
        scores = (actions - 0.5).square().sum((2, 3))
        return torch.where(actions[:, :, 0, 0] > 0.4, bad * scores, scores)

    init = torch.zeros(2, 6, 2)
    plan = Collocation(restarts=8).optimize(situation(score, init), init, UNIT, generators(2))
    assert plan.cost.isfinite().all()
    assert (plan.mean.abs() <= 1).all()


def test_without_a_gradient_it_is_refused() -> None:
    init = torch.zeros(1, 3, 2)
    with pytest.raises(ArmillaryError, match=r"true physics never do.*planner=cem, icem or mppi"):
        Collocation().optimize(
            situation(lambda actions: actions.detach().sum((2, 3)), init),
            init,
            UNIT,
            generators(1),
        )


def test_a_function_of_actions_is_refused() -> None:
    with pytest.raises(ArmillaryError, match="planner=collocation looks at states"):
        Collocation().optimize(
            lambda actions: actions.sum((2, 3)), torch.zeros(1, 3, 2), UNIT, generators(1)
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"restarts": 0}, "restarts must be a whole number of at least 1, got 0"),
        ({"period": 0}, "period must be a whole number of at least 1, got 0"),
        ({"lifted": 0}, "lifted must be a whole number of at least 1, got 0"),
        ({"state_rate": 0.0}, r"state_rate must be in \(0, 1\], got 0.0"),
        ({"learning_rate": 1.1}, r"learning_rate must be in \(0, 1\], got 1.1"),
        ({"state_noise": -0.1}, "state_noise must be at least 0 and finite, got -0.1"),
        ({"penalty": float("inf")}, "penalty must be at least 0 and finite, got inf"),
        ({"std": 0.0}, "std must be positive and finite"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ArmillaryError, match=message):
        Collocation(**settings)  # pyright: ignore[reportArgumentType]
