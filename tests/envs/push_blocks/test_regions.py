"""Regions that nothing may enter: read, painted, entered; and the problems that are posed there."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.push_blocks.drawing import BACKGROUND, KEEP_CLEAR
from armillary.envs.push_blocks.environment import ENTERING, PushBlocksEnv
from armillary.envs.push_blocks.physics import blocks_of, centres_of, make_scene
from armillary.envs.push_blocks.pushes import GOAL_DISTANCE
from armillary.envs.push_blocks.regions import away, painted, read_regions
from armillary.errors import ArmillaryError

REGIONS = [[0.22, 0.42, 0.38, 0.58], [0.62, 0.42, 0.78, 0.58]]


def guarded(**changes) -> PushBlocksEnv:
    return PushBlocksEnv(**{"keep_clear": REGIONS, **changes})


def test_distances_to_regions_by_hand() -> None:
    regions = read_regions("keep_clear", [[0.2, 0.2, 0.4, 0.6]])
    for point, expected in (
        ((0.5, 0.4), 0.1),
        ((0.3, 0.1), 0.1),
        ((0.43, 0.64), 0.05),
        ((0.3, 0.4), -0.1),
        ((0.21, 0.5), -0.01),
        ((0.2, 0.3), 0.0),
    ):
        assert away(regions, np.array([point])) == pytest.approx(expected)
    both = np.array([(0.9, 0.9), (0.5, 0.4)])
    assert away(regions, both) == pytest.approx(0.1)


def test_regions_are_painted_in_proportion_to_what_they_cover() -> None:
    image = painted(((((0.25, 0.5, 0.5, 0.8125),), (1.0, 1.0, 1.0)),), 8, (0.0, 0.0, 0.0))
    assert image[4:6, 2:4] == pytest.approx(np.ones((2, 2, 3)))
    assert image[6, 2, 0] == pytest.approx(0.5)
    assert image.mean() == pytest.approx(0.25 * 0.3125)


def test_regions_are_seen_and_are_background() -> None:
    env = guarded(image_size=64)
    observation, _ = env.reset(seed=0)
    for image in (observation["image"], observation["goal_image"]):
        for color in (KEEP_CLEAR, BACKGROUND):
            assert (np.abs(image - 255 * np.array(color)) < 1).all(-1).sum() > 100
    plain = PushBlocksEnv(image_size=64)
    plain.reset(seed=0)
    plain.restore(env.snapshot())
    assert np.array_equal(plain.segmentation(), env.segmentation())
    frame, labels = env.oracle.draw(env.snapshot())
    assert np.array_equal(frame, observation["image"])
    assert np.array_equal(labels, env.segmentation())


def moved_to(env: PushBlocksEnv, pusher: tuple[float, float], block: tuple[float, float]) -> None:
    """One block, far from its goal."""
    row = np.array([[*block, 0.0, 1, 0.07, 0.2, 0.4, 0.9]])
    goal = np.array([[0.9, 0.9, *row[0, 2:]]])
    env.pose(make_scene(np.array(pusher), row), make_scene(np.array([0.1, 0.9]), goal))


@pytest.mark.parametrize(
    ("pusher", "block", "action", "entered"),
    [
        ((0.5, 0.5), (0.3, 0.8), (0.0, 1.0), False),
        ((0.45, 0.5), (0.3, 0.8), (-1.0, 0.0), True),  # the pusher
        ((0.54, 0.5), (0.4, 0.5), (-1.0, 0.0), True),  # the block that it pushes
    ],
)
def test_entering_fails_and_ends_an_episode(pusher, block, action, entered) -> None:
    env = guarded()
    env.reset(seed=0)
    moved_to(env, pusher, block)
    _, reward, terminated, _, info = env.step(np.array(action))
    assert (info["entered"], terminated, info["is_success"]) == (entered, entered, False)
    assert reward == -1.0 + ENTERING * entered


def test_what_has_entered_does_not_succeed_any_more() -> None:
    env = guarded(terminate_on_success=False)
    env.reset(seed=0)
    moved_to(env, (0.45, 0.5), (0.3, 0.8))
    env.step(np.array([-1.0, 0.0]))
    env.step(np.array([1.0, 0.0]))
    assert env._info()["entered"], "and it is outside now"
    env._goal = env.snapshot()
    _, _, terminated, _, info = env.step(np.zeros(2))
    assert (info["is_success"], terminated) == (False, True)
    env.restore(env.snapshot())
    assert env.step(np.zeros(2))[-1]["is_success"], "a snapshot that is restored has entered none"


def test_problems_are_solved_by_a_push_past_a_region() -> None:
    env = guarded()
    regions = read_regions("keep_clear", REGIONS)
    gaps = []
    for seed in range(40):
        _, info = env.reset(seed=seed)
        start, goal = env.snapshot(), env.goal_scene
        assert not info["entered"]
        assert away(regions, centres_of(start)) > 0.0
        assert away(regions, centres_of(goal)) > 0.0
        moved = np.linalg.norm(blocks_of(start)[:, :2] - blocks_of(goal)[:, :2], axis=1)
        assert GOAL_DISTANCE[0] <= moved.max() <= GOAL_DISTANCE[1]
        pushed = blocks_of(start)[moved.argmax(), :2], blocks_of(goal)[moved.argmax(), :2]
        way = np.linspace(*pushed, 20)
        gaps.append(away(regions, way))
    assert min(gaps) > -0.02, "up to how straight a push is"
    assert np.median(gaps) < 0.1


def test_without_regions_problems_are_what_they_were() -> None:
    one, other = PushBlocksEnv(), PushBlocksEnv(keep_clear=())
    assert np.array_equal(one.reset(seed=3)[0]["image"], other.reset(seed=3)[0]["image"])
    assert np.array_equal(one.goal_scene, other.goal_scene)


def test_passes_gymnasiums_own_check() -> None:
    made = gym.make("armillary/PushBlocks-v0", keep_clear=REGIONS, action_noise=0.25)
    check_env(made.unwrapped)


@pytest.mark.parametrize(
    "region", [[0.4, 0.0, 0.2, 0.5], [0.1, 0.1, 0.2], [0.1, 0.1, 0.2, 1.1], [0.1, 0.1, 0.2, np.nan]]
)
def test_what_is_no_region_is_refused(region) -> None:
    with pytest.raises(ArmillaryError, match=r"keep_clear\[1\] must be \[x0, y0, x1, y1\] in"):
        guarded(keep_clear=[REGIONS[0], region])


def test_regions_that_leave_no_problem_are_told() -> None:
    with pytest.raises(ArmillaryError, match="1 regions in 2000 attempts"):
        guarded(keep_clear=[[0.0, 0.0, 1.0, 1.0]]).reset(seed=0)
