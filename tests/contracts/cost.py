"""What every cost promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.imagined import SHAPE, goal, rollout, view
from armillary.planners.costs import Cost
from armillary.world_models.simulator import Goal, Rollout

ASSIGNMENT = [2, 0, 3, 1]
OBJECTS, EFFECTOR = [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]


def some_goal() -> Goal:
    """Of two problems with four slots: two objects, the effector and the background."""
    return goal(view(seed=1), ASSIGNMENT, OBJECTS, EFFECTOR)


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
    """What holds for every cost. Inherit and implement ``make``."""

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

    def test_every_state_costs_something_finite(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        found = cost(imagined, aim)
        assert found.shape == SHAPE
        assert found.isfinite().all()
        assert (found >= 0).all()

    def test_does_not_depend_on_who_shares_the_batch(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        together = cost(imagined, aim)
        for b in range(SHAPE[0]):
            row = torch.tensor([b])
            assert torch.equal(cost(imagined.index(row), aim.index(row)), together[b : b + 1])

    def test_candidates_do_not_depend_on_each_other(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        """So that they can be scored a few at a time."""
        first = rollout(
            (SHAPE[0], 1, *SHAPE[2:]),
            slots=imagined.slots[:, :1],
            positions=imagined.positions[:, :1],
            frames=imagined.frames[:, :1],
            actions=imagined.actions[:, :1],
        )
        assert torch.equal(cost(first, aim), cost(imagined, aim)[:, :1])

    def test_a_state_that_is_nan_spoils_its_own_cost_alone(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        expected = cost(imagined, aim)
        found = cost(spoiled(imagined), aim)
        assert found.isnan().nonzero().tolist() in ([], [[0, 1, 1, 2]])
        known = ~found.isnan()
        assert_close(found[known], expected[known])

    def test_gradients_are_numbers_wherever_costs_are(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        for state in (imagined, reached(aim)):
            wanted = {
                name: getattr(state, name).clone().requires_grad_()
                for name in ("slots", "positions", "frames", "actions")
            }
            found = cost(rollout(SHAPE, 0, **wanted), aim).sum()
            if found.requires_grad:
                gradients = torch.autograd.grad(found, list(wanted.values()), allow_unused=True)
                assert all(g is None or bool(g.isfinite().all()) for g in gradients)


class DistanceContract(CostContract):
    """What holds for distances to the goal besides. Inherit and implement ``make``."""

    def test_is_zero_at_the_goal_and_positive_elsewhere(
        self, cost: Cost, imagined: Rollout, aim: Goal
    ) -> None:
        assert_close(cost(reached(aim), aim), torch.zeros(SHAPE))
        assert (cost(imagined, aim) > 0).all()

    def test_a_state_that_is_nan_is_no_goal(self, cost: Cost, imagined: Rollout, aim: Goal) -> None:
        assert cost(spoiled(imagined), aim).isnan().nonzero().tolist() == [[0, 1, 1, 2]]


def spoiled(imagined: Rollout) -> Rollout:
    """The same, one of whose states is NaN."""
    broken = {n: getattr(imagined, n).clone() for n in ("slots", "positions", "frames")}
    for tensor in broken.values():
        tensor[0, 1, 1, 2] = torch.nan
    return rollout(SHAPE, 0, **broken, actions=imagined.actions)
