"""Wrappers around tasks."""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from armillary.envs.task import Simulated


class PrivilegedState(gym.ObservationWrapper):
    """Adds the snapshots ``state`` and ``goal_state`` to the observation, for oracle simulators.

    The task must be ``armillary.envs.task.Simulated``.
    """

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, spaces.Dict)
        self._task = cast(Simulated, env.unwrapped)
        vector = spaces.Box(-np.inf, np.inf, self._task.snapshot().shape, np.float64)
        added = {"state": vector, "goal_state": vector}
        self.observation_space = spaces.Dict({**env.observation_space.spaces, **added})

    def observation(self, observation: dict[str, Any]) -> dict[str, Any]:
        """The observation with both snapshots."""
        state, goal = self._task.snapshot(), self._task.goal_scene
        return {**observation, "state": state, "goal_state": goal}
