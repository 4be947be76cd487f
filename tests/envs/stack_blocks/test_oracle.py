"""The oracle simulates, reads and draws as the environment does."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from armillary.envs.stack_blocks.environment import StackBlocksEnv
from armillary.envs.stack_blocks.oracle import StackOracle
from armillary.envs.stack_blocks.scene import positions_of
from tests.envs.stack_blocks.scenes import blocks_at


def test_poses_are_places_in_the_image_and_in_the_scene() -> None:
    scenes = np.stack([blocks_at((0.0, 2.92), (1.0, 2.0)), blocks_at((0.0, 2.0))])
    poses = StackOracle(64).poses(scenes)
    assert poses.shape == (2, 4, 5)
    assert poses[0, 1, :2] == pytest.approx([0.5, 0.5], abs=0.06)
    assert poses[0, 1:3, 2:] == pytest.approx(positions_of(scenes[0]))
    assert poses[0, 2, 0] > 0.5
    assert (poses[1, 2:] == poses[0, 0]).all()
    assert poses[0, 0].tolist() == [0.5, 0.5, 0.0, 0.0, 0.0]


def test_blocks_are_objects_and_nothing_is_an_effector() -> None:
    objects, effector = StackOracle(64).roles(blocks_at((0.0, 2.0), (1.0, 3.0)))
    assert objects.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert not effector.any()


@pytest.mark.parametrize("heights", [False, True])
def test_it_is_that_of_the_environment_and_travels(heights: bool) -> None:
    env = StackBlocksEnv(heights=heights, image_size=96, supersampling=1)
    observation, _ = env.reset(seed=0)
    oracle = pickle.loads(pickle.dumps(env.oracle))
    assert oracle.action_size == env.action_space.shape[0]
    assert np.array_equal(oracle.draw(env.snapshot())[0], observation["image"])
    assert np.array_equal(oracle.draw(env.snapshot())[1], env.segmentation())
