"""Wrappers: snapshots beside what is seen, and several steps as one."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.wrappers import PrivilegedState, Strided
from armillary.errors import ArmillaryError


def test_snapshots_of_scene_and_goal_are_added() -> None:
    env = PrivilegedState(PushBlocksEnv())
    observation, _ = env.reset(seed=0)
    task = env.unwrapped
    assert isinstance(task, PushBlocksEnv)
    assert np.array_equal(observation["state"], task.snapshot())
    assert np.array_equal(observation["goal_state"], task.goal_scene)
    assert {"image", "goal_image"} <= set(observation)
    assert env.observation_space.contains(observation)
    assert set(observation) == set(env.observation_space.spaces)  # type: ignore[attr-defined]


class Line(gym.Env):
    """Adds up actions; success beyond 2, its end beyond 5, a limit of 9 steps."""

    action_space = spaces.Box(np.float32([-1, -2]), np.float32([1, 2]))
    observation_space = spaces.Box(-np.inf, np.inf, (2,))

    def reset(self, *, seed=None, options=None):
        self.place, self.steps, self.taken = np.zeros(2), 0, []
        return self.place, {}

    def step(self, action):
        self.place, self.steps = self.place + action, self.steps + 1
        self.taken.append(np.asarray(action).tolist())
        x, y = self.place
        return self.place, 1.0, bool(y > 5), self.steps >= 9, {"is_success": bool(x > 2)}


def test_a_stride_takes_the_sum_in_equal_steps() -> None:
    line = Line()
    env = Strided(line, 4)
    assert isinstance(env.action_space, spaces.Box)
    assert env.action_space.low.tolist() == [-4, -8]
    assert env.action_space.high.tolist() == [4, 8]
    env.reset()
    place, reward, *ended, info = env.step(np.array([1.0, -2.0], np.float32))
    assert line.taken == [[0.25, -0.5]] * 4
    assert (place.tolist(), reward, ended) == ([1.0, -2.0], 4.0, [False, False])
    assert info == {"is_success": False}


@pytest.mark.parametrize(
    ("action", "steps", "ended"),
    [([4.0, 0.0], 3, [False, False]), ([0.0, 8.0], 3, [True, False])],
)
def test_it_stops_where_the_goal_is_reached_or_the_episode_ends(action, steps, ended) -> None:
    line = Line()
    env = Strided(line, 4)
    env.reset()
    _, reward, *told, info = env.step(np.array(action, np.float32))
    assert (line.steps, reward, told) == (steps, float(steps), ended)
    assert info["is_success"] == (action[0] > 0)


def test_it_stops_at_the_limit_of_steps() -> None:
    line = Line()
    env = Strided(line, 4)
    env.reset()
    cut = [env.step(np.zeros(2, np.float32))[3] for _ in range(3)]
    assert cut == [False, False, True]
    assert line.steps == 9


def test_choices_have_no_sum() -> None:
    line = Line()
    line.action_space = spaces.Discrete(3)  # type: ignore[assignment]
    with pytest.raises(ArmillaryError, match="choices have no sum"):
        Strided(line, 2)
