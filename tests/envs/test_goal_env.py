"""What tasks with a goal scene share: rewards, ends of episodes, pictures, refused actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from armillary.envs.goal_env import GoalEnv
from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.push_t.environment import PushTEnv
from armillary.envs.sprite_goals.environment import SpriteGoalsEnv
from armillary.envs.stack_blocks.environment import StackBlocksEnv
from armillary.envs.towel_pick.environment import TowelPickEnv
from armillary.errors import ArmillaryError

Make = Callable[..., GoalEnv]
THRESHOLDS = {PushBlocksEnv: 0.06, StackBlocksEnv: 0.3, TowelPickEnv: 0.04, SpriteGoalsEnv: 0.06}
"""Of the tasks in which all things have to be near their places."""
ALL = [*THRESHOLDS, PushTEnv]
NOISELESS = {TowelPickEnv: {"action_noise": 0.0}, SpriteGoalsEnv: {"noise": 0.0}}


@pytest.mark.parametrize(("make", "threshold"), THRESHOLDS.items())
def test_rewards_are_batched_and_of_two_kinds(make: Make, threshold: float) -> None:
    """The furthest thing counts, and how far it is along all axes together."""
    sparse, dense = (make(reward_type=kind) for kind in ("sparse", "dense"))
    space: Any = sparse.observation_space
    desired = np.zeros((2, 3, *space["desired_goal"].shape))
    achieved = desired.copy()
    achieved[:, 1, :2] = 0.9 * threshold / np.sqrt(2.0)
    achieved[:, 2, 0], achieved[:, 2, -2:] = 0.1 * threshold, 1.1 * threshold / np.sqrt(2.0)
    assert sparse.compute_reward(achieved, desired, {}).tolist() == [[0.0, 0.0, -1.0]] * 2
    expected = threshold * np.array([[0.0, -0.9, -1.1]] * 2)
    assert dense.compute_reward(achieved, desired, {}) == pytest.approx(expected)


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("make", THRESHOLDS)
def test_success_ends_an_episode_unless_it_is_not_to(make: Make, ends: bool) -> None:
    env = make(terminate_on_success=ends, **NOISELESS.get(make, {}))
    env.reset(seed=1)
    env.restore(env.goal_scene)
    observation, reward, terminated, truncated, info = env.step(nothing(env))
    assert (reward, terminated, truncated) == (0.0, ends, False)
    assert info["is_success"]
    assert info["distance"] < env.distance_threshold
    assert observation["achieved_goal"] == pytest.approx(observation["desired_goal"], abs=0.01)


@pytest.mark.parametrize("make", ALL)
def test_it_renders_larger_pictures_where_that_was_asked_for(make: Make) -> None:
    env, blind = make(render_mode="rgb_array"), make()
    observation, _ = env.reset(seed=0)
    picture, size = env.render(), env.image_size
    assert picture is not None
    assert picture.shape == (256, 256, 3)
    smaller = picture.reshape(size, 256 // size, size, 256 // size, 3).mean((1, 3))
    assert np.abs(smaller - observation["image"]).mean() < 4  # edges: some worlds cast one ray
    assert blind.render() is None


@pytest.mark.parametrize("make", ALL)
def test_actions_that_cannot_be_are_refused(make: Make) -> None:
    env = make()
    env.reset(seed=0)
    before, still, space = env.snapshot(), nothing(env), env.action_space
    size = len(still)
    with pytest.raises(ArmillaryError, match=rf"shape \({size},\), got \({size + 1},\)"):
        env.step(np.append(still, 0.0))
    for wrong in (space.low - 1e-4, space.high + 1e-4, np.nan):
        for axis in range(size):
            action = still.astype(np.float64)
            action[axis] = np.broadcast_to(wrong, size)[axis]
            with pytest.raises(ArmillaryError, match=r"action must (lie|be finite)"):
                env.step(action)
    assert np.array_equal(env.snapshot(), before)


@pytest.mark.parametrize("make", ALL)
def test_a_problem_that_is_none_is_refused_as_a_whole(make: Make) -> None:
    env = make()
    env.reset(seed=0)
    scene, goal = env.snapshot(), env.goal_scene
    for wrong in (scene[:-1], np.full_like(scene, np.nan)):
        for problem in ((wrong, goal), (goal, wrong)):
            with pytest.raises(ArmillaryError, match="a snapshot"):
                env.pose(*problem)
    assert np.array_equal(env.snapshot(), scene)
    assert np.array_equal(env.goal_scene, goal)


def nothing(env: GoalEnv) -> np.ndarray:
    """The action that does nothing."""
    return np.zeros(env.action_space.shape or (), np.float32)
