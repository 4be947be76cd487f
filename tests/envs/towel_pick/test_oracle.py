"""The oracle simulates, reads and draws as the environment does."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from armillary.envs.towel_pick.environment import TowelPickEnv
from armillary.envs.towel_pick.oracle import TowelOracle
from armillary.envs.towel_pick.scene import gripper_of, positions_of
from tests.envs.towel_pick.scenes import objects_at


def test_poses_are_places_in_the_image_and_in_the_scene() -> None:
    scenes = np.stack([objects_at((0.0, 0.0), (0.1, -0.1)), objects_at((0.0, 0.0))])
    poses = TowelOracle(64).poses(scenes)
    assert poses.shape == (2, 6, 5)
    assert poses[0, 2, :2] == pytest.approx([0.5, 0.5], abs=0.06)
    assert poses[0, 1, 2:] == pytest.approx(gripper_of(scenes[0])[:3])
    assert poses[0, 2:4, 2:] == pytest.approx(positions_of(scenes[0]))
    assert poses[0, 3, 0] > 0.55
    assert poses[0, 3, 1] > 0.55
    assert (poses[1, 3:] == poses[0, 0]).all()
    assert TowelOracle(64).handles(scenes) == pytest.approx(poses[..., 2:] / 0.05)


def test_objects_that_are_there_are_objects_and_the_gripper_is_the_effector() -> None:
    objects, effector = TowelOracle(64).roles(objects_at((0.0, 0.0), (0.1, -0.1)))
    assert objects.tolist() == [0, 0, 1, 1, 0, 0]
    assert effector.tolist() == [0, 1, 0, 0, 0, 0]


def test_what_is_drawn_is_what_is_observed() -> None:
    env = TowelPickEnv(supersampling=2)
    observation, _ = env.reset(seed=0)
    frame, labels = env.oracle.draw(env.snapshot())
    assert np.array_equal(frame, observation["image"])
    assert np.array_equal(labels, env.segmentation())
    assert env.places().tolist() == env.oracle.poses(env.snapshot()[None])[0, :, :2].tolist()


def test_it_is_picklable_and_knows_the_noise() -> None:
    oracle = pickle.loads(pickle.dumps(TowelPickEnv().oracle))
    assert oracle.action_noise == 0.05
