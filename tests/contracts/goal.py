"""What every goal reader promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from armillary.world_models.goals.reader import GoalReader
from armillary.world_models.simulator import Goal, Observation, Simulator


class GoalReaderContract(ABC):
    """Inherit, name the class ``Test...`` and implement the abstract methods."""

    @abstractmethod
    def make(self) -> GoalReader:
        """A reader."""

    @abstractmethod
    def simulator(self) -> Simulator:
        """What the goals are for."""

    @abstractmethod
    def observations(self) -> list[Observation]:
        """The first ones of three episodes whose goals can be read."""

    @pytest.fixture
    def asked(self) -> Iterator[Simulator]:
        made = self.simulator()
        yield made
        made.close()

    def read(self, simulator: Simulator, observations: list[Observation]) -> tuple[Any, Goal]:
        """The beliefs and the goals."""
        size = simulator.action_size
        state = simulator.observe(None, np.zeros((len(observations), size), "f4"), observations)
        ends = (torch.full((size,), end, device=simulator.device) for end in (-1.0, 1.0))
        return state, self.make().read(simulator, state, observations, *ends)

    def test_goals_relate_to_the_slots_of_the_beliefs(self, asked: Simulator) -> None:
        state, goal = self.read(asked, self.observations())
        slots = asked.view(state).positions.shape[1]
        assert goal.positions.shape == (3, slots, 2)
        assert goal.objects.shape == goal.effector.shape == goal.assignment.shape == (3, slots)
        assert (goal.assignment.sort(-1).values == torch.arange(slots)).all()
        assert goal.halves is None or goal.halves.shape == goal.positions.shape
        assert goal.shown is None or goal.shown.shape == goal.objects.shape
        assert goal.placed.shape == goal.objects.shape

    def test_objects_and_effector_are_different_slots(self, asked: Simulator) -> None:
        _, goal = self.read(asked, self.observations())
        assert {*goal.objects.unique().tolist(), *goal.effector.unique().tolist()} <= {0.0, 1.0}
        assert (goal.objects.sum(-1) > 0).all()
        assert (goal.effector.sum(-1) <= 1).all()
        assert (goal.objects * goal.effector).sum() == 0

    def test_objects_belong_inside_the_image(self, asked: Simulator) -> None:
        _, goal = self.read(asked, self.observations())
        places = goal.positions[goal.placed > 0]
        assert ((places >= 0) & (places <= 1)).all()

    def test_reading_again_gives_the_same(self, asked: Simulator) -> None:
        (_, one), (_, other) = (self.read(asked, self.observations()) for _ in range(2))
        assert torch.equal(one.positions, other.positions)
        assert torch.equal(one.objects, other.objects)

    def test_a_goal_does_not_depend_on_who_shares_the_batch(self, asked: Simulator) -> None:
        _, together = self.read(asked, self.observations())
        _, alone = self.read(asked, self.observations()[1:2])
        row = together.index(torch.tensor([1]))
        assert torch.allclose(row.positions, alone.positions, atol=1e-5)
        assert torch.equal(row.objects, alone.objects)
        assert torch.equal(row.placed, alone.placed)
        assert torch.equal(row.effector, alone.effector)

    def test_what_is_at_its_goal_is_no_way_from_it(self, asked: Simulator) -> None:
        _, goal = self.read(asked, self.observations())
        assert not goal.offsets(goal.positions[:, None, None, None]).any()
