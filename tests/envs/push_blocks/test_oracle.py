"""The oracle of PushBlocks: what it reads off scenes, in the order of the labels."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.push_blocks.oracle import PushOracle


def posed(count: int, seed: int = 0) -> PushBlocksEnv:
    env = PushBlocksEnv()
    env.reset(seed=seed, options={"num_blocks": count})
    return env


def test_poses_are_the_things_in_the_order_of_their_labels() -> None:
    scenes = np.stack([posed(2).snapshot(), posed(4).snapshot()])
    poses = PushOracle(32).poses(scenes)
    middle = [0.5, 0.5, 1.0, 0.0]
    assert poses.shape == (2, 6, 4)
    for scene, read, count in zip(scenes, poses, (2, 4), strict=True):
        assert read[0].tolist() == middle
        assert read[1].tolist() == [*scene[1:3], 1.0, 0.0]
        for i, block in enumerate(scene[3:].reshape(4, 8)):
            expected = [block[0], block[1], np.cos(block[2]), np.sin(block[2])]
            assert read[2 + i].tolist() == pytest.approx(expected if i < count else middle)


def test_blocks_that_are_there_are_objects_and_the_pusher_is_the_effector() -> None:
    oracle = PushOracle(32)
    objects, effector = oracle.roles(posed(2).snapshot())
    assert objects.tolist() == [0, 0, 1, 1, 0, 0]
    assert effector.tolist() == [0, 1, 0, 0, 0, 0]
    assert oracle.roles(posed(4).snapshot())[0].tolist() == [0, 0, 1, 1, 1, 1]


def test_what_is_observed_is_what_the_scene_says() -> None:
    env = posed(2)
    observation = env.step(np.zeros(2, np.float32))[0]
    poses = env.oracle.poses(env.snapshot()[None])[0]
    assert env.places().tolist() == poses[:, :2].tolist()
    assert observation["observation"].tolist() == [*poses[1, :2], *poses[2:4].ravel(), *[0.0] * 8]
    assert observation["achieved_goal"].tolist() == [*poses[2:4, :2].ravel(), *[0.0] * 4]
    goal = env.oracle.poses(env.goal_scene[None])[0]
    assert observation["desired_goal"].tolist() == [*goal[2:4, :2].ravel(), *[0.0] * 4]
    frame, labels = env.oracle.draw(env.snapshot())
    assert np.array_equal(frame, observation["image"])
    assert np.array_equal(labels, env.segmentation())
