"""Planners that propose and search nothing."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import BOUNDS, generators, squared_distance, uniform
from armillary.contracts.planner import PlannerContract
from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Bounds, Score
from armillary.planners.proposals.inverse_dynamics import InverseDynamicsGuess
from armillary.planners.proposals.retrieval import Retrieval
from armillary.planners.proposals.stored import Stored
from armillary.planners.situation import Situation
from tests.planners.situations import situation


class _Contract(PlannerContract):
    place: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _take(self, stored: Stored) -> None:
        type(self).place = str(stored.path)

    def posed(self, score: Score, init: Tensor) -> Situation:
        return situation(score, init)


class TestRetrieval(_Contract):
    def make(self, samples: int = 200) -> Retrieval:
        return Retrieval(nearest=max(1, samples // 20), proposals_from=self.place)


class TestInverseDynamics(_Contract):
    def make(self, samples: int = 200) -> InverseDynamicsGuess:
        return InverseDynamicsGuess(proposals_from=self.place)


def test_what_led_there_is_done_again(stored: Stored) -> None:
    """From nothing to what was shown after the fourth action of an episode."""
    init = uniform(1, 6, seed=2)
    wanted = stored.recorded.slots[7, 4, 0].unsqueeze(0)
    target = torch.cat([stored.recorded.actions[7, :4], init[0, 4:]]).unsqueeze(0)

    def score(actions: Tensor) -> Tensor:
        return squared_distance(target[:, :4])(actions[:, :, :4])

    plan = Retrieval(proposals_from=str(stored.path), nearest=2).optimize(
        situation(score, init, wanted), init, BOUNDS, generators(1)
    )
    assert plan.evaluations.tolist() == [3]
    assert plan.cost.item() < 1e-5  # it was kept in half precision
    assert torch.equal(plan.actions[0, 4:], ((BOUNDS.low + BOUNDS.high) / 2).expand(2, 3))


def test_the_network_is_asked_with_the_slots_of_the_present_and_of_the_goal(
    stored: Stored,
) -> None:
    init, seen = uniform(2, 6, seed=2), []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions)
        return actions.square().sum((2, 3))

    search = InverseDynamicsGuess(proposals_from=str(stored.path), guesses=12)
    for wanted in (torch.zeros(2, 3), torch.ones(2, 3)):
        search.optimize(situation(score, init, wanted), init, BOUNDS, generators(2))
    assert seen[0].shape == (2, 13, 6, 3)
    assert torch.equal(seen[0][:, 0], seen[1][:, 0])
    assert not torch.allclose(seen[0][:, 1:], seen[1][:, 1:])


def test_discrete_actions_are_proposed_as_the_options_nearest_to_them(stored: Stored) -> None:
    bounds = Bounds(torch.tensor([-2.0, -1.0, 0.0]), torch.tensor([1.0, 1.0, 3.0]), (4, 3, 4))
    init, seen = torch.zeros(1, 4, 3), []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions)
        return actions.square().sum((2, 3))

    for kind in (Retrieval, InverseDynamicsGuess):
        search = kind(proposals_from=str(stored.path))
        search.optimize(situation(score, init), init, bounds, generators(1))
    assert all(torch.equal(actions, actions.round()) for actions in seen)


@pytest.mark.parametrize("kind", [Retrieval, InverseDynamicsGuess])
def test_a_function_of_actions_is_refused(
    kind: type[Retrieval] | type[InverseDynamicsGuess], stored: Stored
) -> None:
    with pytest.raises(ArmillaryError, match=r"planner=\w+ looks at states"):
        kind(proposals_from=str(stored.path)).optimize(
            lambda actions: actions.sum((2, 3)), uniform(1, 3), BOUNDS, generators(1)
        )


def test_refuses_bad_settings(stored: Stored) -> None:
    with pytest.raises(ArmillaryError, match="nearest must be a whole number of at least 1"):
        Retrieval(nearest=0, proposals_from=str(stored.path))
    with pytest.raises(ArmillaryError, match="guesses must be a whole number of at least 1"):
        InverseDynamicsGuess(guesses=0, proposals_from=str(stored.path))
    with pytest.raises(ArmillaryError, match=r"no proposals are found in 'nowhere'"):
        Retrieval(proposals_from="nowhere")
