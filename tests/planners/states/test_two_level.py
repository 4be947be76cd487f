"""Two levels of search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import OptimizerContract, generators, squared_distance, uniform
from armillary.errors import ArmillaryError
from armillary.planners.cem import CEM
from armillary.planners.optimizer import Bounds, Score
from armillary.planners.situation import Situation
from armillary.planners.states.two_level import TwoLevel
from tests.planners.situations import situation

UNIT = Bounds(-torch.ones(2), torch.ones(2))


class TestTwoLevel(OptimizerContract):
    stride = 1

    def make(self, samples: int = 200) -> TwoLevel:
        return TwoLevel(samples=samples, iterations=8, elites=samples // 10, stride=self.stride)

    def posed(self, score: Score, init: Tensor) -> Situation:
        return situation(score, init)

    def test_counts_what_it_asks_the_model(self) -> None:
        """The lower level's candidates are asked for, too: seven searches of 2 x 64."""
        scored = 0

        def score(actions: Tensor) -> Tensor:
            nonlocal scored
            scored += actions.shape[1]
            return squared_distance(uniform(1, 4, seed=1))(actions)

        plan = self.ask(score, uniform(1, 4), generators(1))
        assert plan.evaluations.tolist() == [scored + 7 * 2 * 64]


class TestHeldActions(TestTwoLevel):
    """What is best for every step by itself is out of reach of actions that are held."""

    left = 0.5
    stride = 2


def watched(search: TwoLevel, horizon: int = 7) -> list[Tensor]:
    """The candidates (S, T, A) of every population."""
    seen: list[Tensor] = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions[0])
        return (actions - 0.5).square().sum((2, 3))

    init = torch.zeros(1, horizon, 2)
    search.optimize(situation(score, init, adds=True), init, UNIT, generators(1))
    return seen


def test_the_upper_level_holds_its_changes() -> None:
    first, *_ = watched(TwoLevel(samples=20, elites=5, std=0.1, stride=3))
    assert len(first) == 20
    for step, held in enumerate((0, 0, 0, 3, 3, 3, 6)):
        assert torch.equal(first[:, step], first[:, held])
    assert not torch.equal(first[:, 0], first[:, 3])


def test_what_the_lower_level_reaches_is_followed_by_the_rest_of_the_best() -> None:
    first, second, *_ = watched(TwoLevel(samples=20, elites=5, std=0.1, stride=3))
    reached, best = second[-2:]
    costs = (first - 0.5).square().sum((1, 2))
    assert torch.equal(best, first[costs.argmin()])
    assert torch.equal(reached[3:], best[3:])
    subgoal = best[:3].sum(0)
    ways = [(sequence[:3].cumsum(0) - subgoal).square().mean() for sequence in (reached, best)]
    assert ways[0] < 0.7 * ways[1]
    assert len(watched(TwoLevel(samples=20, elites=5, iterations=4))[-1]) == 2


def test_a_subgoal_further_than_the_horizon_is_the_end() -> None:
    assert watched(TwoLevel(samples=20, elites=5, stride=9), horizon=2)[1].shape == (22, 2, 2)


def test_few_held_actions_find_what_many_single_ones_do_not() -> None:
    """Along 40 steps the last place alone counts, and a wall is in the way of white noise."""

    def score(actions: Tensor) -> Tensor:
        places = 0.05 * actions.cumsum(2)
        return (places[:, :, -1] - 1.5).square().sum(-1) + 0.1 * actions.diff(dim=2).square().mean(
            (2, 3)
        )

    init = torch.zeros(6, 40, 2)
    two = TwoLevel(samples=100, iterations=5, elites=10, stride=8, noise_exponent=0.0, std=0.5)
    flat = CEM(samples=228, iterations=5, elites=20)
    found = two.optimize(situation(score, init), init, UNIT, generators(6))
    plain = flat.optimize(score, init, UNIT, generators(6))
    assert (found.evaluations <= plain.evaluations).all()
    assert found.cost.mean() < 0.5 * plain.cost.mean()


def test_a_function_of_actions_is_refused() -> None:
    init = torch.zeros(1, 3, 2)
    with pytest.raises(ArmillaryError, match="planner=two_level looks at states"):
        TwoLevel().optimize(lambda actions: actions.sum((2, 3)), init, UNIT, generators(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 0}, "stride must be a whole number of at least 1, got 0"),
        ({"iterations": 1}, "iterations must be a whole number of at least 2, got 1"),
        ({"samples": 10}, "elites must be at most samples=10, got 20"),
        ({"lower_samples": 1}, "lower_samples must be a whole number of at least 2, got 1"),
        ({"lower_iterations": 0}, "lower_iterations must be a whole number of at least 1"),
        ({"std": 0.0}, "std must be positive and finite"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ArmillaryError, match=message):
        TwoLevel(**settings)  # pyright: ignore[reportArgumentType]
