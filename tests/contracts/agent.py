"""What every agent promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pytest
from gymnasium import spaces

from armillary.agent.agent import Agent
from armillary.world_models.simulator import Observation


class AgentContract(ABC):
    """Inherit, set ``space`` and implement ``make`` and ``observations``."""

    space: spaces.Box

    @abstractmethod
    def make(self) -> Agent:
        """An agent for ``space``."""

    @abstractmethod
    def observations(self) -> list[Observation]:
        """Three observations of different episodes."""

    @pytest.fixture
    def agent(self) -> Agent:
        return self.make()

    def acted(self, agent: Agent, rows: list[int], active: list[bool], steps: int = 2):
        """(steps, B, A): actions on the same observations again and again."""
        observations = [self.observations()[row] for row in rows]
        agent.reset([10 + row for row in rows])
        return np.stack([agent.act(observations, np.array(active)) for _ in range(steps)])

    def test_actions_are_in_the_space(self, agent):
        actions = self.acted(agent, [0, 1, 2], [True] * 3)
        assert actions.shape == (2, 3, *self.space.shape)
        assert actions.dtype == np.float32
        assert (actions >= self.space.low).all()
        assert (actions <= self.space.high).all()

    def test_seeds_determine_the_actions(self, agent):
        first = self.acted(agent, [0, 1, 2], [True] * 3)
        assert np.array_equal(first, self.acted(agent, [0, 1, 2], [True] * 3))
        assert np.array_equal(first, self.acted(self.make(), [0, 1, 2], [True] * 3))

    def test_an_episode_does_not_depend_on_its_neighbours(self, agent):
        together = self.acted(agent, [0, 1, 2], [True] * 3)
        assert np.allclose(self.acted(agent, [1], [True])[:, 0], together[:, 1], atol=1e-5)

    def test_ended_episodes_get_zeros_and_disturb_nobody(self, agent):
        everybody = self.acted(agent, [0, 1, 2], [True] * 3)
        actions = self.acted(agent, [0, 1, 2], [True, False, True])
        assert (actions[:, 1] == 0).all()
        assert np.allclose(actions[:, 0], everybody[:, 0], atol=1e-5)
        assert np.allclose(actions[:, 2], everybody[:, 2], atol=1e-5)
