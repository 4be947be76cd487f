"""Walls hold pusher and blocks, are seen and are background; most goals lie behind one."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.push_blocks import layout
from armillary.envs.push_blocks.drawing import WALL
from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.push_blocks.physics import (
    PUSHER_RADIUS,
    STEP_LENGTH,
    blocks_of,
    centres_of,
    make_scene,
    step,
)
from armillary.envs.push_blocks.pushes import GOAL_DISTANCE, reach_of, walkable
from armillary.envs.push_blocks.regions import gaps, read_regions
from armillary.errors import ArmillaryError

WALLS = [[0.36, 0.47, 0.64, 0.53], [0.47, 0.53, 0.53, 0.68]]
UP = ((0.4, 0.4, 0.6, 0.5),)


def walled(**changes: Any) -> PushBlocksEnv:
    return PushBlocksEnv(**{"walls": WALLS, "num_blocks": 2, **changes})


def disc(x: float, y: float, size: float = 0.07) -> list[float]:
    return [x, y, 0.0, 1, size, 0.2, 0.4, 0.9]


def test_a_wall_holds_the_pusher_and_lets_it_slide_along() -> None:
    far = np.array([disc(0.9, 0.9)])
    scene = make_scene(np.array([0.5, 0.75]), far)
    for _ in range(5):
        scene = step(scene, np.array([0.0, -1.0]), UP)
    assert scene[2] == pytest.approx(0.5 + PUSHER_RADIUS, abs=0.01)
    slid = step(scene, np.array([-1.0, -1.0]), UP)
    assert slid[1] < scene[1] - 0.03
    assert slid[2] == pytest.approx(0.5 + PUSHER_RADIUS, abs=0.01)
    for action in ([0.0, 1.0], [1.0, 0.5]):
        away = step(scene, np.array(action), UP)
        assert away[1:3] - scene[1:3] == pytest.approx(STEP_LENGTH * np.array(action), abs=0.015)
    free = make_scene(np.array([0.2, 0.75]), far)
    action = np.array([0.3, -1.0])
    assert np.array_equal(step(free, action, UP), step(free, action)), "it is nowhere near"


def test_a_wall_holds_blocks_and_those_who_push_them() -> None:
    scene = make_scene(np.array([0.5, 0.85]), np.array([disc(0.5, 0.7)]))
    for _ in range(6):
        scene = step(scene, np.array([0.0, -1.0]), UP)
    assert blocks_of(scene)[0, 1] == pytest.approx(0.5 + 0.07, abs=0.02)
    assert scene[2] == pytest.approx(0.5 + 2 * 0.07 + PUSHER_RADIUS, abs=0.03)
    passed = make_scene(np.array([0.2, 0.85]), np.array([disc(0.2, 0.7)]))
    for _ in range(3):
        passed = step(passed, np.array([0.0, -1.0]), UP)
    assert blocks_of(passed)[0, 1] < 0.45, "beside the wall it goes on"


def test_nothing_ever_gets_into_a_wall() -> None:
    env, walls = walled(num_blocks=3, terminate_on_success=False), read_regions("walls", WALLS)
    rng, touched, deepest = np.random.default_rng(0), 0, 0.0
    for seed in range(12):
        env.reset(seed=seed)
        for _ in range(25):
            towards = centres_of(env.snapshot())[rng.integers(1, 4)] - env.snapshot()[1:3]
            env.step(np.clip(towards / STEP_LENGTH + rng.normal(0.0, 0.3, 2), -1, 1))
            scene = env.snapshot()
            room = gaps(walls, centres_of(scene)) - np.array(
                [PUSHER_RADIUS, *(0.85 * block[4] for block in blocks_of(scene))]
            )
            deepest, touched = min(deepest, room.min()), touched + (room < 0.02).any()
    assert touched > 20
    assert deepest > -0.03


def test_walls_are_seen_and_are_background() -> None:
    env = walled(image_size=128)
    observation, _ = env.reset(seed=0)
    for image in (observation["image"], observation["goal_image"]):
        painted = (np.abs(image - 255 * np.array(WALL)) < 1).all(-1)
        assert 0.7 < painted.mean() / (0.28 * 0.06 + 0.06 * 0.15) < 1.0
    here = (np.abs(observation["image"] - 255 * np.array(WALL)) < 1).all(-1)
    assert not env.segmentation()[here].any()
    frame, labels = env.oracle.draw(env.snapshot())
    assert np.array_equal(frame, observation["image"])
    assert np.array_equal(labels, env.segmentation())


def test_most_goals_lie_behind_a_wall_and_one_block_moves() -> None:
    env, walls, behind = walled(), read_regions("walls", WALLS), []
    for seed in range(40):
        _, info = env.reset(seed=seed)
        start, goal = env.snapshot(), env.goal_scene
        assert not info["is_success"]
        for scene in (start, goal):
            reach = [PUSHER_RADIUS, *(0.8 * block[4] for block in blocks_of(scene))]
            assert (gaps(walls, centres_of(scene)) > np.array(reach) - 0.005).all()
        moved = np.linalg.norm(blocks_of(start)[:, :2] - blocks_of(goal)[:, :2], axis=1)
        assert moved.max() >= GOAL_DISTANCE[0]
        assert moved.min() < 0.01
        block = int(moved.argmax())
        way = np.linspace(blocks_of(start)[block, :2], blocks_of(goal)[block, :2], 30)
        behind.append(gaps(walls, way).min() < 0.5 * blocks_of(start)[block, 4])
    assert 0.6 < np.mean(behind) < 0.9


def test_several_blocks_are_pushed_in_turn() -> None:
    env = walled(num_blocks=3, num_moved=2)
    for seed in range(8):
        env.reset(seed=seed)
        moved = blocks_of(env.snapshot())[:, :2] - blocks_of(env.goal_scene)[:, :2]
        assert (np.linalg.norm(moved, axis=1) > 0.1).sum() == 2


def test_the_pusher_walks_where_there_is_room() -> None:
    across = read_regions("walls", [[0.0, 0.45, 0.7, 0.55]])
    left, below = np.array([0.2, 0.2]), np.array([0.2, 0.8])
    nothing = np.zeros((0, 8))
    assert walkable(left, below, nothing, across)
    barred = np.array([disc(0.85, 0.5, 0.1)])
    assert not walkable(left, below, barred, across)
    assert walkable(left, np.array([0.6, 0.3]), barred, across)
    assert not walkable(left, barred[0, :2], barred, across), "a block stands there"
    assert reach_of(barred[0]) == pytest.approx(0.1)


def test_episodes_are_determined_and_go_on_bit_for_bit() -> None:
    one, other = walled(terminate_on_success=False), walled(terminate_on_success=False)
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    for seed in range(4):
        assert np.array_equal(one.reset(seed=seed)[0]["image"], other.reset(seed=seed)[0]["image"])
        assert np.array_equal(one.goal_scene, other.goal_scene)
        for action in actions[:5]:
            one.step(action)
        middle = one.snapshot()
        other.restore(middle)
        for action in actions[5:]:
            assert np.array_equal(one.step(action)[0]["image"], other.step(action)[0]["image"])
        assert np.array_equal(one.oracle.simulate(middle, actions[5:])[-1], one.snapshot())


def test_passes_gymnasiums_own_check() -> None:
    check_env(gym.make("armillary/PushBlocks-v0", walls=WALLS, image_size=64).unwrapped)


def test_what_is_no_wall_and_walls_that_leave_no_problem_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layout, "_ATTEMPTS", 40)
    with pytest.raises(ArmillaryError, match=r"walls\[0\] must be \[x0, y0, x1, y1\] in"):
        walled(walls=[[0.5, 0.0, 0.4, 1.0]])
    with pytest.raises(ArmillaryError, match="1 regions in 40 attempts"):
        walled(walls=[[0.1, 0.1, 0.9, 0.9]]).reset(seed=1)
