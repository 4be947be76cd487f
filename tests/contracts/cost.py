"""What every cost promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.imagined import SHAPE, goal, rollout
from armillary.planners.costs import Cost
from armillary.world_models.simulator import Goal, Rollout

ASSIGNMENT = [2, 0, 3, 1]
OBJECTS, EFFECTOR = [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]


def some_goal() -> Goal:
    """Of two problems with four slots: two objects, the effector and the background."""
    return goal(rollout(SHAPE[:1], seed=1), ASSIGNMENT, OBJECTS, EFFECTOR)


def reached(aim: Goal) -> Rollout:
    """Every state is the goal's, its slots in the start's order."""

    def spread(tensor: Tensor) -> Tensor:
        return tensor[:, None, None, None].expand(*SHAPE, *tensor.shape[1:])

    return rollout(
        slots=spread(aim.view.slots[:, ASSIGNMENT]),
        positions=spread(aim.positions),
        frames=spread(aim.view.frames),
    )


class CostContract(ABC):
    """Inherit and implement ``make``."""

    @abstractmethod
    def make(self) -> Cost:
        """A cost."""

    @pytest.fixture
    def cost(self) -> Cost:
        return self.make()

    @pytest.fixture
    def imagined(self) -> Rollout:
        return rollout()

    @pytest.fixture
    def aim(self) -> Goal:
        return some_goal()

    def test_is_zero_at_the_goal_and_positive_elsewhere(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        assert_close(cost(reached(aim), aim), torch.zeros(SHAPE))
        away = cost(imagined, aim)
        assert away.shape == SHAPE
        assert (away > 0).all()

    def test_does_not_depend_on_who_shares_the_batch(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        together = cost(imagined, aim)
        for b in range(SHAPE[0]):
            alone = rollout(
                (1, *SHAPE[1:]),
                slots=imagined.slots[b : b + 1],
                positions=imagined.positions[b : b + 1],
                frames=imagined.frames[b : b + 1],
            )
            assert torch.equal(cost(alone, aim.index(torch.tensor([b]))), together[b : b + 1])

    def test_a_state_that_is_nan_spoils_its_own_cost_alone(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        expected = cost(imagined, aim)
        broken = [t.clone() for t in (imagined.slots, imagined.positions, imagined.frames)]
        for tensor in broken:
            tensor[0, 1, 1, 2] = torch.nan
        found = cost(rollout(slots=broken[0], positions=broken[1], frames=broken[2]), aim)
        assert found.isnan().nonzero().tolist() == [[0, 1, 1, 2]]
        expected[0, 1, 1, 2] = torch.nan
        assert_close(found, expected, equal_nan=True)
