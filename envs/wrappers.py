"""Wrappers around tasks."""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from armillary.envs.task import Simulated
from armillary.errors import ArmillaryError
from armillary.spaces import OneHot, ends, vectors


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


class Strided(gym.Wrapper):
    """Takes the sum of ``stride`` actions in as many equal steps, for models trained at a stride.

    Stops early where the goal is reached or the episode ends.

    Args:
        env: a task whose actions are displacements, so that a sum of them means something.
        stride: steps for each action.

    Raises:
        ArmillaryError: its actions are choices, which have no sum.
    """

    def __init__(self, env: gym.Env, stride: int) -> None:
        super().__init__(env)
        space = vectors(env.action_space)
        if isinstance(space, OneHot):
            raise ArmillaryError(
                f"a model trained at stride {stride} adds up actions, and choices have no sum; "
                "train it at stride 1, on data of a frameskip if need be"
            )
        self._stride = stride
        low, high = (end * stride for end in ends(space))
        self.action_space = spaces.Box(low, high, dtype=np.float32)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Takes (A,); the reward is the sum."""
        part, total = np.asarray(action) / self._stride, 0.0
        for left in reversed(range(self._stride)):
            observation, reward, ended, cut, info = self.env.step(part)
            total += float(reward)
            if not left or ended or cut or info.get("is_success", False):
                return observation, total, ended, cut, info
        raise AssertionError("a stride is at least 1")
