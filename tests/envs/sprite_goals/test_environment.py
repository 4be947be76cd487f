"""SpriteGoals: the gymnasium contract, selecting and moving, chance, measures, bad input."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.moving_sprites.scene import sprites_of
from armillary.envs.sprite_goals.environment import TOLERANCE, SpriteGoalsEnv
from armillary.errors import ArmillaryError

STILL = np.zeros(4, np.float32)


def solve(env: SpriteGoalsEnv) -> dict[str, Any]:
    """Moves sprites home one by one, the uppermost first, and returns what is told at last."""
    info: dict[str, Any] = {}
    for _ in range(3):
        for i in reversed(range(env.num_sprites)):
            here, there = (sprites_of(one)[i, :2] for one in (env.snapshot(), env.goal_scene))
            way = np.clip(there - here, -0.25, 0.25)
            info = env.step(np.append(here, way).astype(np.float32))[-1]
    return info


@pytest.mark.parametrize("image_size", [64, 96, 128])
def test_passes_gymnasiums_own_check(image_size: int) -> None:
    settings = {"image_size": image_size, "num_sprites": 4, "fewest_sprites": 1, "drift": 0.02}
    check_env(gym.make("armillary/SpriteGoals-v0", **settings).unwrapped)


def test_problems_are_solved_by_moving_sprites_home() -> None:
    env, solved = SpriteGoalsEnv(noise=0.0, terminate_on_success=False), 0
    for seed in range(20):
        env.reset(seed=seed)
        info = solve(env)
        solved += info["is_success"]
        assert info["is_success"] == (info["share"] == 1.0) == (info["distance"] < TOLERANCE)
    assert solved >= 18  # a sprite that hides another's centre is selected instead


def test_the_uppermost_sprite_under_the_point_is_moved_and_no_other() -> None:
    env = SpriteGoalsEnv(noise=0.0, terminate_on_success=False)
    env.reset(seed=0, options={"shapes": ["disc"] * 3, "sizes": [0.1] * 3})
    scene = env.snapshot()
    sprites_of(scene)[:, :2] = [[0.5, 0.5], [0.55, 0.5], [0.2, 0.2]]
    for point, moved in (((0.5, 0.5), 1), ((0.44, 0.5), 0), ((0.2, 0.25), 2), ((0.8, 0.8), None)):
        env.restore(scene)
        env.step(np.array([*point, 0.1, -0.05], np.float32))
        change = sprites_of(env.snapshot())[:, :2] - sprites_of(scene)[:, :2]
        expected = np.zeros((3, 2))
        if moved is not None:
            expected[moved] = 0.1, -0.05
        assert change == pytest.approx(expected, abs=1e-6)


def test_nothing_is_moved_out_of_sight() -> None:
    env = SpriteGoalsEnv(num_sprites=1, noise=0.0, terminate_on_success=False)
    env.reset(seed=0)
    for _ in range(6):
        place = sprites_of(env.snapshot())[0, :2]
        env.step(np.append(place, [0.25, -0.25]).astype(np.float32))
    assert sprites_of(env.snapshot())[0, :2] == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize("noise", [0.0, 0.015, 0.03])
def test_chance_moves_every_sprite(noise: float) -> None:
    env, steps = SpriteGoalsEnv(noise=noise, terminate_on_success=False), []
    env.reset(seed=0)
    scene = env.snapshot()
    sprites_of(scene)[:, :2] = [[0.4, 0.4], [0.5, 0.6], [0.6, 0.4]]
    for _ in range(400):
        env.restore(scene)
        env.step(STILL)
        steps.append(sprites_of(env.snapshot())[:, :2] - sprites_of(scene)[:, :2])
    spread = np.std(steps, axis=0)
    assert spread == pytest.approx(np.full((3, 2), noise), rel=0.2)
    assert np.abs(np.mean(steps, axis=0)).max() <= 0.2 * noise


def test_drifting_sprites_have_velocities_which_a_snapshot_holds() -> None:
    env = SpriteGoalsEnv(noise=0.0, drift=0.04, terminate_on_success=False)
    env.reset(seed=0)
    sprites = sprites_of(env.snapshot())
    speed = np.linalg.norm(sprites[:, 2:4], axis=1)
    assert ((speed >= 0.02) & (speed <= 0.04)).all()
    env.step(STILL)
    moved = sprites_of(env.snapshot())[:, :2] - sprites[:, :2]
    free = (np.abs(sprites[:, :2] - 0.5) < 0.35).all(1)
    assert free.any()
    assert moved[free] == pytest.approx(sprites[free, 2:4])
    assert not sprites_of(env.goal_scene)[:, 2:4].any()


def test_a_restored_episode_goes_on_bit_for_bit() -> None:
    env, fresh = (SpriteGoalsEnv(noise=0.0, drift=0.02) for _ in range(2))
    rng = np.random.default_rng(0)
    for seed in range(5):
        env.reset(seed=seed)
        low, high = env.action_space.low, env.action_space.high  # type: ignore[attr-defined]
        actions = rng.uniform(low, high, (10, 4))
        for action in actions[:4]:
            env.step(action)
        middle = env.snapshot()
        fresh.pose(middle, env.goal_scene)
        for action in actions[4:]:
            one, two = env.step(action)[0], fresh.step(action)[0]
            assert np.array_equal(one["image"], two["image"])
        assert np.array_equal(env.oracle.simulate(middle, actions[4:])[-1], fresh.snapshot())


def test_labels_places_and_poses_are_those_of_the_picture() -> None:
    env = SpriteGoalsEnv(num_sprites=4, fewest_sprites=2)
    counts = set()
    for seed in range(16):
        observation, _ = env.reset(seed=seed)
        sprites, labels = sprites_of(env.snapshot()), env.segmentation()
        counts.add(len(sprites))
        assert labels.max() == len(sprites)
        poses = observation["observation"].reshape(4, 4)
        assert not poses[len(sprites) :].any()
        assert np.array_equal(poses[: len(sprites), :2], sprites[:, :2])
        assert env.places().shape == (5, 2)
        assert (env.places()[[0, *range(1 + len(sprites), 5)]] == 0.5).all()
        for i, sprite in enumerate(sprites):
            inside = observation["image"][labels == 1 + i]
            assert np.median(inside, axis=0) == pytest.approx(255 * sprite[6:9], abs=3)
    assert counts == {2, 3, 4}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image_size": 48}, "image_size must be one of"),
        ({"num_sprites": 7}, "num_sprites must be one of"),
        ({"fewest_sprites": 4}, "fewest_sprites must be one of"),
        ({"noise": -0.1}, r"noise must lie in \[0, 0.1\]"),
        ({"drift": float("nan")}, r"drift must lie in \[0, 0.1\]"),
        ({"reward_type": "shaped"}, "reward_type must be one of"),
        ({"render_mode": "human"}, "render_mode must be one of"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        SpriteGoalsEnv(**settings)


def test_vectors_that_are_no_snapshots_are_refused() -> None:
    env = SpriteGoalsEnv(num_sprites=2)
    env.reset(seed=0)
    scene = env.snapshot()
    for change, told in (
        ((0, 3.0), "starts with 1 to 2 sprites, got 3"),
        ((2, np.nan), "22 finite numbers"),
        ((7, 5.0), r"a shape out of \[0, 1, 2\]"),
        ((11, 0.0), "a radius above 0"),
    ):
        wrong = scene.copy()
        wrong[change[0]] = change[1]
        with pytest.raises(ArmillaryError, match=told):
            env.restore(wrong)
    with pytest.raises(ArmillaryError, match="22 finite numbers"):
        env.restore(SpriteGoalsEnv(num_sprites=3).snapshot())
    alone = scene.copy()
    alone[0] = 1
    with pytest.raises(ArmillaryError, match="as many sprites, got 2 and 1"):
        env.pose(scene, alone)
    assert np.array_equal(env.snapshot(), scene)
