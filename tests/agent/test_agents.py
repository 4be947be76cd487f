"""The agents that need no simulator."""

import numpy as np
from gymnasium import spaces

from armillary.agent.agent import NoopAgent, RandomAgent
from armillary.contracts.agent import AgentContract

SPACE = spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 0.5]), dtype=np.float64)


class TestNoop(AgentContract):
    space = SPACE

    def make(self):
        return NoopAgent(SPACE)

    def observations(self):
        return [{}] * 3


class TestRandom(AgentContract):
    space = SPACE

    def make(self):
        return RandomAgent(SPACE)

    def observations(self):
        return [{}] * 3

    def test_actions_fill_the_space(self, agent):
        agent.reset(range(50))
        drawn = np.concatenate([agent.act([{}] * 50, np.ones(50, bool)) for _ in range(20)])
        assert np.allclose(drawn.mean(0), [0.0, 0.25], atol=0.15)
        assert np.allclose(drawn.std(0), np.array([4.0, 0.5]) / np.sqrt(12), rtol=0.1)
