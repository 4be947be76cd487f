"""StackBlocks: the gymnasium contract, three measures of success, options, bad input."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.stack_blocks.environment import StackBlocksEnv
from armillary.envs.stack_blocks.physics import put_down, settled
from armillary.envs.stack_blocks.scene import count_of, positions_of
from armillary.errors import ArmillaryError
from tests.envs.stack_blocks.scenes import act, blocks_at


@pytest.mark.parametrize("heights", [False, True])
def test_passes_gymnasiums_own_check(heights: bool) -> None:
    check_env(gym.make("armillary/StackBlocks-v0", heights=heights).unwrapped)


def solving(env: StackBlocksEnv) -> list[np.ndarray]:
    """Actions that build the goal from below."""
    here, there = positions_of(env.snapshot()), positions_of(env.goal_scene)
    order = np.argsort(there[:, 2])
    size = 3 if env.heights else 2
    return [np.append(here[i, :size], there[i, :size]).astype(np.float32) for i in order]


@pytest.mark.parametrize("heights", [False, True])
def test_problems_are_solved_by_putting_blocks_in_place(heights: bool) -> None:
    env, solved = StackBlocksEnv(heights=heights, num_blocks=2), 0
    for seed in range(10):
        env.reset(seed=seed)
        for action in solving(env):
            _, reward, terminated, _, info = env.step(action)
        solved += info["is_success"]
        assert terminated == info["is_success"] == (reward == 0.0)
    assert solved >= 7  # some goals are where the other block still lies


def test_the_three_measures_stand_side_by_side() -> None:
    env = StackBlocksEnv()
    goal = blocks_at((-1.5, 1.5), (0.0, 3.0), (1.5, 2.0))
    scene = blocks_at((-1.5, 1.5), (0.0, 2.2), (-2.2, 3.9))
    env.reset(seed=0)
    env.pose(scene, goal)
    info = env.step(np.zeros(4, np.float32))[-1]
    assert info["is_success"] is False
    assert info["share"] == pytest.approx(1 / 3)
    assert info["op3_rule"] == pytest.approx(2 / 3)
    assert info["distance"] == pytest.approx(4.16, abs=0.02)
    assert {*env.measures} < {*info}


def test_absent_blocks_are_zeros() -> None:
    env = StackBlocksEnv(num_blocks=3, fewest_blocks=1)
    counts = set()
    for seed in range(12):
        observation, _ = env.reset(seed=seed)
        count = count_of(env.snapshot())
        counts.add(count)
        assert not observation["observation"][7 * count :].any()
        assert not observation["achieved_goal"][3 * count :].any()
        assert env.segmentation().max() <= count
        assert env.places().shape == (4, 2)
    assert counts == {1, 2, 3}


def test_options_fix_what_they_say() -> None:
    env = StackBlocksEnv(vary=["colors", "sizes", "camera"])
    options = {"num_blocks": 1, "colors": ["red"], "camera": "near"}
    first, _ = env.reset(seed=0, options=options)
    assert count_of(env.snapshot()) == 1
    red = first["image"][env.segmentation() == 1].astype(int)
    assert (red[:, 0] > 1.5 * red[:, 1]).all()


def test_snapshots_hold_what_is_still_moving() -> None:
    env, other = StackBlocksEnv(), StackBlocksEnv()
    env.reset(seed=0)
    other.reset(seed=1)
    falling = put_down(env.snapshot(), 0, act(0.0, 2.0, 2.4))
    env.restore(falling)
    other.restore(falling)
    for _ in range(2):
        seen = [one.step(np.zeros(4, np.float32))[0]["observation"] for one in (env, other)]
        assert np.array_equal(*seen)
    assert settled(falling).shape == falling.shape


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image_size": 32}, "image_size must be one of"),
        ({"num_blocks": 10}, "num_blocks must be one of"),
        ({"fewest_blocks": 4}, "fewest_blocks must be one of"),
        ({"supersampling": 0}, "supersampling must be one of"),
        ({"reward_type": "shaped"}, "reward_type must be one of"),
        ({"render_mode": "human"}, "render_mode must be one of"),
        ({"vary": ["shapes"]}, "vary must be one of"),
        ({"camera": "far"}, "unknown camera 'far'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        StackBlocksEnv(**settings)


def test_a_goal_of_other_blocks_is_refused() -> None:
    env = StackBlocksEnv()
    with pytest.raises(ArmillaryError, match="as many blocks, got 2 and 1"):
        env.pose(blocks_at((0.0, 2.0), (1.0, 3.0)), blocks_at((0.0, 2.0)))
