"""TowelPick: the gymnasium contract, success, noise, options, bad input."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.towel_pick.environment import TowelPickEnv
from armillary.envs.towel_pick.scene import VERSION, count_of, gripper_of
from armillary.errors import ArmillaryError
from tests.envs.towel_pick.scenes import APART, UP, act, objects_at

NOTHING = np.zeros(4, np.float32)


@pytest.mark.parametrize("problems", ["push", "lift"])
def test_passes_gymnasiums_own_check(problems: str) -> None:
    check_env(gym.make("armillary/TowelPick-v0", problems=problems).unwrapped)


@pytest.mark.parametrize("size", [64, 96, 128])
def test_images_are_of_the_size_that_was_asked_for(size: int) -> None:
    env = TowelPickEnv(image_size=size, problems="lift")
    observation, info = env.reset(seed=0)
    assert observation["goal_image"].shape == (size, size, 3)
    assert env.segmentation().shape == (size, size)
    assert not info["is_success"]
    assert info["distance"] > 0.09


def test_a_push_that_ends_at_the_goal_succeeds() -> None:
    scene = objects_at((0.0, 0.0), (0.15, 0.15), gripper=(0.0, -0.08, 0.012), room=2)
    goal = objects_at((0.0, 0.1), (0.15, 0.15), room=2)
    env = TowelPickEnv(num_objects=2, action_noise=0.0)
    env.reset(seed=0)
    env.pose(scene, goal)
    info = {"is_success": False}
    for _ in range(3):
        _, reward, terminated, _, info = env.step(act(0.0, 0.9, 0.0, 0.0).astype(np.float32))
        assert terminated == info["is_success"] == (reward == 0.0) == (info["distance"] < 0.04)
    assert info["is_success"]


def test_noise_is_added_to_actions() -> None:
    def gone(noise: float) -> np.ndarray:
        env = TowelPickEnv(action_noise=noise)
        env.reset(seed=0)
        env.restore(objects_at(*APART))
        return np.stack(
            [gripper_of(env.snapshot())[:3].copy() for _ in range(30) if env.step(NOTHING)]
        )

    assert np.abs(np.diff(gone(0.0), axis=0)).max() < 1e-4
    assert np.diff(gone(0.05), axis=0).std() == pytest.approx(0.05 * 0.05, rel=0.4)


def test_absent_objects_are_zeros() -> None:
    env = TowelPickEnv(num_objects=4, fewest_objects=1)
    counts = set()
    for seed in range(12):
        observation, _ = env.reset(seed=seed)
        count = count_of(env.snapshot())
        counts.add(count)
        assert not observation["observation"][5 + 7 * count :].any()
        assert not observation["achieved_goal"][3 * count :].any()
        assert env.segmentation().max() == 1 + count
        assert env.places().shape == (6, 2)
    assert counts == {1, 2, 3, 4}


def test_options_fix_what_they_say() -> None:
    env = TowelPickEnv(vary=["shapes", "sizes", "colors", "camera"])
    first, _ = env.reset(seed=0, options={"num_objects": 1, "colors": ["red"], "camera": "front"})
    red = first["image"][env.segmentation() == 2].astype(int)
    assert (red[:, 0] > 1.5 * red[:, 1]).all()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image_size": 32}, r"image_size must be one of \[64, 96, 128\], got 32"),
        ({"num_objects": 7}, "num_objects must be one of"),
        ({"fewest_objects": 5}, "fewest_objects must be one of"),
        ({"problems": "throw"}, "problems must be one of"),
        ({"action_noise": -0.1}, "action_noise must be"),
        ({"action_noise": float("nan")}, "action_noise must be"),
        ({"supersampling": 0}, "supersampling must be one of"),
        ({"reward_type": "shaped"}, "reward_type must be one of"),
        ({"render_mode": "human"}, "render_mode must be one of"),
        ({"vary": ["table"]}, "vary must be one of"),
        ({"camera": "far"}, "unknown camera 'far'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        TowelPickEnv(**settings)


def older(scene: np.ndarray) -> np.ndarray:
    scene = scene.copy()
    scene[0] = VERSION - 1
    return scene


START = ((0.0, 0.0), (0.15, 0.0))


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        (objects_at((0.01, 0.02), (0.15, 0.0)), "start is solved.*0.02"),
        (objects_at((0.0, 0.0)), "of the same objects"),
        (objects_at(*START, shapes=("box", "box")), "of the same objects"),
        (older(objects_at((0.1, 0.1), (0.15, 0.0))), "version 0 of TowelPick does not go with"),
        (objects_at((0.0, 0.12), (0.15, 0.0), gripper=(0.0, 0.0, 0.05)), "hides object 0"),
    ],
)
def test_problems_that_cannot_be_are_refused(goal: np.ndarray, told: str) -> None:
    env = TowelPickEnv()
    env.reset(seed=0)
    before = env.goal_scene
    with pytest.raises(ArmillaryError, match=told):
        env.pose(objects_at(*START, gripper=UP), goal)
    assert np.array_equal(env.goal_scene, before)
