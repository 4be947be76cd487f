"""What all worlds with a goal scene refuse alike, whatever they are like."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import armillary.envs  # noqa: F401
from armillary.errors import ArmillaryError

COUNTS = {
    "PushBlocks": "num_blocks",
    "StackBlocks": "num_blocks",
    "TowelPick": "num_objects",
    "SpriteGoals": "num_sprites",
    "PushT": None,
}
WORLDS = pytest.mark.parametrize("world", COUNTS)


def made(world: str, **settings: Any) -> Any:
    return gym.make(f"armillary/{world}-v0", disable_env_checker=True, **settings).unwrapped


@WORLDS
def test_nothing_moves_before_a_problem_is_posed(world: str) -> None:
    env = made(world)
    action = np.zeros(env.action_space.shape, np.float32)
    with pytest.raises(ArmillaryError, match="reset poses a problem, and comes before step"):
        env.step(action)
    env.reset(seed=0)
    env.step(action)
    other = made(world)
    other.pose(env.snapshot(), env.goal_scene)
    other.step(action)


@WORLDS
@pytest.mark.parametrize("wrong", [{"a": 1}, "here", None, [[1.0], [2.0, 3.0]], object()])
def test_what_is_no_snapshot_is_named(world: str, wrong: Any) -> None:
    env = made(world)
    env.reset(seed=0)
    before = env.snapshot()
    with pytest.raises(ArmillaryError, match=r"a snapshot.* is [0-9]+ finite numbers, got"):
        env.restore(wrong)
    assert np.array_equal(env.snapshot(), before)


@WORLDS
@pytest.mark.parametrize("wrong", [64.0, 50, True, "64", None])
def test_images_have_whole_numbers_of_pixels(world: str, wrong: Any) -> None:
    with pytest.raises(ArmillaryError, match=r"image_size must be one of [\[(].*64.*[\])], got"):
        made(world, image_size=wrong)


@pytest.mark.parametrize(("world", "count"), [pair for pair in COUNTS.items() if pair[1]])
@pytest.mark.parametrize("wrong", [2.0, 2.5, 0, True, "2", None])
def test_things_are_counted_in_whole_numbers(world: str, count: str, wrong: Any) -> None:
    with pytest.raises(ArmillaryError, match=rf"{count} must be .*, got '?{wrong}"):
        made(world, **{count: wrong})
    env = made(world, **{count: np.int64(2)})
    env.reset(seed=0)
    with pytest.raises(ArmillaryError, match=rf"{count} must be .*, got '?{wrong}"):
        env.reset(options={count: wrong})
