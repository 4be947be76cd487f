"""ImageGoalEnv: anybody's environment becomes a task, or says in a line why not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest
from gymnasium import spaces

from armillary import ImageGoalEnv
from armillary.contracts.task import TaskContract
from armillary.errors import ArmillaryError
from armillary.spaces import native, uniform, vectors
from tests.envs.toys import Pixels, Walk

BOX = (-1.0, 1.0)


class TestByState(TaskContract):
    def make(self) -> gym.Env:
        return ImageGoalEnv(Walk(render_mode="rgb_array"), 32, action_bounds=BOX)


class TestByPixels(TaskContract):
    def make(self) -> gym.Env:
        return ImageGoalEnv(lambda: Pixels(), 32, action_bounds=BOX, frameskip=2)


class TestDiscrete(TaskContract):
    def make(self) -> gym.Env:
        return ImageGoalEnv(Walk(spaces.Discrete(5), told=False), 32)


class TestMultiDiscrete(TaskContract):
    def make(self) -> gym.Env:
        return ImageGoalEnv(Walk(spaces.MultiDiscrete([3, 3])), 32, goal="future")


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_environments_of_gymnasium(name: str) -> None:
    if importlib.util.find_spec("pygame") is None:
        pytest.skip("pygame, which draws them, is not installed")
    env = ImageGoalEnv(name, 32, tolerance=0.01)
    observation, info = env.reset(seed=0)
    assert observation["image"].shape == (32, 32, 3)
    assert not info["is_success"]
    env.close()


def walk(**settings: Any) -> ImageGoalEnv:
    return ImageGoalEnv(Walk(), 32, **{"action_bounds": BOX, **settings})


def reach(env: ImageGoalEnv, seed: int, steps: int = 30) -> bool:
    """Goes straight to the goal's state."""
    env.reset(seed=seed)
    for _ in range(steps):
        goal, now = env._goal.state, env._now.state
        assert goal is not None
        assert now is not None
        action = np.clip((goal - now) / 0.1, -1, 1).astype(np.float32)
        if env.step(action)[-1]["is_success"]:
            return True
    return False


@pytest.mark.parametrize("success", [None, "state", "image"])
@pytest.mark.parametrize("goal", ["episode", "future"])
def test_goals_can_be_reached_and_are_told(success: str | None, goal: str) -> None:
    env = walk(success=success, goal=goal)
    assert all(reach(env, seed) for seed in range(5))


def test_a_goal_ahead_lies_nearer_than_one_of_another_episode() -> None:
    def away(goal: str) -> float:
        env = walk(goal=goal, goal_steps=1, tolerance=1e-3)
        return float(np.mean([env.reset(seed=seed)[1]["distance"] for seed in range(20)]))

    assert away("future") < 0.12 < away("episode")


def test_the_environments_own_flag_tells_success() -> None:
    env = walk(success="flag")
    env.reset(seed=0)
    right = np.array([1.0, 0.0], np.float32)
    played = [env.step(right) for _ in range(9)]
    for seen, *_, info in played:
        assert info["is_success"] == (seen["observation"][0] > 0.9)
    assert played[-1][-1]["is_success"]
    with pytest.raises(ArmillaryError, match="must have 'won', got"):
        lacking = walk(success="flag", success_key="won")
        lacking.reset(seed=0)
        lacking.step(right)


def test_functions_give_goals_and_judge() -> None:
    image = np.full((32, 32, 3), 7, np.uint8)
    env = walk(goal=lambda env, rng: image, success=lambda seen, info: seen["image"].max() < 0)
    observation, info = env.reset(seed=0)
    assert np.array_equal(observation["goal_image"], image)
    assert not info["is_success"]
    named = walk(success="tests.envs.test_image_goal:never")
    assert not named.reset(seed=0)[1]["is_success"]


def never(observation: Any, info: Any) -> bool:
    return False


def test_goals_come_from_a_recorded_file(tmp_path: Path) -> None:
    path = tmp_path / "goals.h5"
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32, 3), np.uint8)
    with h5py.File(path, "w") as file:
        file["train/imgs"], file["train/poses"] = frames, np.full((2, 3, 2), 0.5)
    observation, info = walk(goal=str(path), tolerance=0.01).reset(seed=1)
    assert any(np.array_equal(observation["goal_image"], f) for e in frames for f in e[1:])
    assert info["distance"] < 0.5
    with pytest.raises(ArmillaryError, match="goal images must be"):
        ImageGoalEnv(Walk(), 16, action_bounds=BOX, goal=str(path)).reset(seed=0)


def test_crops_are_parts_of_the_image() -> None:
    whole, corner = walk(crop=[0, 0, 1, 1]), walk(crop=[0.5, 0.5, 1.0, 1.0])
    for env in (whole, corner):
        env.reset(seed=3)
        env._env.unwrapped.place = np.array([0.9, 0.9])  # type: ignore[attr-defined]
    image = whole._view.see(np.zeros(2)).image
    part = corner._view.see(np.zeros(2)).image
    # 150 of 2,400 pixels, and of the 600 in the corner.
    shares = [(seen[..., 0] > 170).mean() for seen in (image, part)]
    assert shares == pytest.approx([150 / 2400, 150 / 600], rel=0.3)


def test_frameskip_repeats_actions() -> None:
    env = walk(frameskip=3, goal_steps=40)
    env.reset(seed=0)
    inner: Any = env._env.unwrapped
    inner.place = np.array([0.5, 0.5])
    _, reward, _, _, _ = env.step(np.array([0.1, -0.1], np.float32))
    assert np.allclose(inner.place, [0.53, 0.47])
    assert (inner.steps, reward) == (3, 3.0)


def test_the_environments_end_ends_the_episode_or_holds_the_scene() -> None:
    for ends, env in ((True, walk(tolerance=1e-6)), (False, walk(ends=False, tolerance=1e-6))):
        env.reset(seed=0)
        corner = np.array([-1.0, -1.0], np.float32)
        *_, last = [env.step(corner) for _ in range(12)]
        assert last[2] is ends
        back = env.step(-corner)[0]
        assert np.array_equal(back["image"], last[0]["image"])


def test_its_own_limit_of_steps_is_not_kept() -> None:
    env = ImageGoalEnv("tests.envs.toys:toys/Walk-v0", 32, action_bounds=BOX, tolerance=1e-6)
    env.reset(seed=0)
    steps = [env.step(np.full(2, 0.01, np.float32)) for _ in range(5)]
    assert not any(truncated or terminated for _, _, terminated, truncated, _ in steps)


def test_actions_have_the_users_bounds_and_the_environments_shape() -> None:
    env = ImageGoalEnv(Walk(spaces.Box(-5, 5, (2, 1))), 32, action_bounds=[-1, [1, 2]])
    assert isinstance(env.action_space, spaces.Box)
    assert env.action_space.high.tolist() == [1, 2]
    env.reset(seed=0)
    env.step(np.array([0.5, 2.0], np.float32))
    with pytest.raises(ArmillaryError, match="action must be in"):
        env.step(np.array([0.5, 2.5], np.float32))


def test_closing_closes_the_environment() -> None:
    inner = Walk()
    ImageGoalEnv(inner, 32, action_bounds=BOX).close()
    assert inner.closed


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"action_bounds": None}, r"bounded, got Box.*action_bounds=\[low, high\]"),
        ({"action_bounds": [3, 2]}, "leave nothing"),
        ({"action_bounds": [0, [1, 2, 3]]}, "numbers or lists of 2"),
        ({"frameskip": 0}, "frameskip must be at least 1"),
        ({"crop": [0, 0, 2, 1]}, "crop must be"),
        ({"goal": "elsewhere"}, "goal must be one of .*'episode', 'future'"),
        ({"goal": "missing.h5"}, "there is no such file"),
        ({"success": "luck"}, "success must be one of"),
        ({"success": "nowhere:f"}, "success=nowhere:f: No module"),
        ({"tolerance": 0.0}, "tolerance must be above 0"),
        ({"image_key": "camera"}, "no 'camera'"),
        ({"goal_steps": 0}, "goal_steps must be at least 1"),
        ({"image_size": 4}, "image_size must be at least 8"),
        ({"env": "no_such_package:Id-v0"}, "cannot make the environment 'no_such_package:Id-v0'"),
        ({"env": None}, "environment=PACKAGE_MODULE:Id-v0"),
    ],
)
def test_mistakes_are_told_in_a_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told) as error:
        ImageGoalEnv(**{"env": Walk, "image_size": 32, "action_bounds": BOX, **settings})
    assert len(str(error.value).splitlines()) == 1


def test_a_goal_that_is_always_reached_is_refused() -> None:
    with pytest.raises(ArmillaryError, match="20 goals in a row are reached at the start"):
        walk(tolerance=100.0).reset(seed=0)
    with pytest.raises(ArmillaryError, match="success=state needs states"):
        ImageGoalEnv(Walk(told=False), 32, action_bounds=BOX, success="state").reset(seed=0)


def test_an_environment_that_draws_nothing_says_so() -> None:
    class Blind(Walk):
        def render(self) -> Any:
            return None

    with pytest.raises(ArmillaryError, match=r"an image must be \(H, W, 3\) uint8"):
        ImageGoalEnv(Blind(), 32, action_bounds=BOX).reset(seed=0)


def test_random_play_stays_in_the_space() -> None:
    for actions in (spaces.Discrete(5), spaces.MultiDiscrete([3, 3]), spaces.Box(-1, 1, (2, 1))):
        env = ImageGoalEnv(Walk(actions), 32)
        env.reset(seed=0)
        coded, rng = vectors(env.action_space), np.random.default_rng(0)
        for _ in range(5):
            env.step(native(env.action_space, uniform(coded, rng)))
