"""The oracle simulates, reads and draws as the environment does; policies hit what they mean."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from armillary.envs.moving_sprites.scene import sprites_of
from armillary.envs.sprite_goals.environment import SpriteGoalsEnv
from armillary.envs.sprite_goals.oracle import SpriteOracle
from armillary.envs.sprite_goals.policies import MovePolicy
from armillary.errors import ArmillaryError


def test_it_reads_what_the_scene_says_and_travels() -> None:
    env = SpriteGoalsEnv(image_size=96, num_sprites=4)
    observation, _ = env.reset(seed=0, options={"num_sprites": 2})
    oracle = pickle.loads(pickle.dumps(env.oracle))
    scene, middle = env.snapshot(), [0.5, 0.5]
    poses = oracle.poses(np.stack([scene, env.goal_scene]))
    for row, read in zip((scene, env.goal_scene), poses, strict=True):
        assert read.tolist() == [middle, *sprites_of(row)[:, :2].tolist(), middle, middle]
    objects, effector = oracle.roles(scene)
    assert objects.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert not effector.any()
    assert np.array_equal(oracle.draw(scene)[0], observation["image"])
    assert np.array_equal(oracle.draw(scene)[1], env.segmentation())
    assert (SpriteOracle.action_size,) == env.action_space.shape


@pytest.mark.parametrize("hit", [0.0, 0.8, 1.0])
def test_policies_move_sprites_as_often_as_asked(hit: float) -> None:
    env, moved = SpriteGoalsEnv(noise=0.0, terminate_on_success=False), []
    policy, points = MovePolicy(hit), []
    for seed in range(40):
        env.reset(seed=seed)
        policy.reset(np.random.default_rng(seed))
        for _ in range(5):
            before, action = env.snapshot(), policy.act(env.snapshot())
            env.step(action)
            moved.append(not np.array_equal(before, env.snapshot()))
            points.append(action)
    assert np.mean(moved) == pytest.approx(hit + (1 - hit) * 0.13, abs=0.07)
    ways = np.array(points)[:, 2:]
    assert (ways.min(), ways.max()) == pytest.approx((-0.25, 0.25), abs=0.02)


def test_a_probability_is_one() -> None:
    with pytest.raises(ArmillaryError, match=r"hit must be a probability, got 1\.5"):
        MovePolicy(1.5)
