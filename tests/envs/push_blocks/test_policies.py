"""Collection policies: seeded, within bounds, and the scripted one meets blocks more often."""

import numpy as np
import pytest

from armillary.envs.push_blocks import physics
from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.push_blocks.policies import MixedPolicy, PushPolicy, RandomPolicy


def contact_share(policy, episodes=25, steps=20):
    """Share of the steps in which a block moves."""
    env, moving = PushBlocksEnv(terminate_on_success=False), 0
    for seed in range(episodes):
        env.reset(seed=seed)
        policy.reset(np.random.default_rng(seed))
        for _ in range(steps):
            before = env.snapshot()
            action = policy.act(before)
            assert action.dtype == np.float32
            assert (np.abs(action) <= 1).all()
            env.step(action)
            change = physics.blocks_of(env.snapshot())[:, :2] - physics.blocks_of(before)[:, :2]
            moving += np.abs(change).max() > 0.005
    return moving / (episodes * steps)


def test_scripted_pushes_more_than_chance():
    scripted, random = contact_share(PushPolicy()), contact_share(RandomPolicy())
    assert scripted > 0.3
    assert scripted > 1.5 * random


@pytest.mark.parametrize("policy", [PushPolicy(), RandomPolicy(), MixedPolicy()])
def test_a_generator_determines_the_actions(policy):
    env = PushBlocksEnv()
    env.reset(seed=0)

    def actions(seed):
        policy.reset(np.random.default_rng(seed))
        return np.stack([policy.act(env.snapshot()) for _ in range(5)])

    assert np.array_equal(actions(1), actions(1))
    assert not np.array_equal(actions(1), actions(2))


def test_a_probability_is_wanted():
    with pytest.raises(ValueError, match="probability"):
        MixedPolicy(scripted=1.5)


def test_random_motion_has_one_spread_and_remembers_by_its_persistence():
    policy, still = RandomPolicy(persistence=0.7, scale=0.2), np.zeros(physics.SCENE_SIZE)
    policy.reset(np.random.default_rng(0))
    actions = np.stack([policy.act(still) for _ in range(10_000)]).astype(float)
    assert actions.std(0) == pytest.approx([0.2, 0.2], rel=0.04)
    remembered = (actions[1:] * actions[:-1]).mean(0) / actions.var(0)
    assert remembered == pytest.approx([0.7, 0.7], abs=0.03)


@pytest.mark.parametrize("start", [[0.5, 0.3], [0.15, 0.5]])
def test_a_block_is_pushed_from_behind_the_way_that_was_chosen(start):
    policy, block = PushPolicy(noise=0.0), [0.5, 0.5, 0.0, 1.0, 0.07, 0.0, 0.0, 0.0]
    along, aside = [], []
    for seed in range(10):
        scene = physics.make_scene(np.array(start), np.array([block]))
        policy.reset(np.random.default_rng(seed))
        scene = physics.step(scene, policy.act(scene))
        direction = policy._direction
        while policy._steps_left:
            scene = physics.step(scene, policy.act(scene))
        moved = physics.blocks_of(scene)[0, :2] - block[:2]
        along.append(moved @ direction)
        aside.append(abs(moved @ [-direction[1], direction[0]]))
    assert min(along) > 0.05
    assert np.mean(along) > 3 * np.mean(aside)


def test_blocks_are_pushed_towards_the_middle():
    policy, gained = PushPolicy(), []
    for seed in range(300):
        policy.reset(np.random.default_rng(seed))
        place = np.random.default_rng(seed).uniform(0.1, 0.9, 2)
        block = np.array([[*place, 0.0, 1.0, 0.07, 0.0, 0.0, 0.0]])
        policy.act(physics.make_scene(np.array([0.5, 0.3]), block))
        towards = np.array([0.5, 0.5]) - place
        gained.append(policy._direction @ towards / np.linalg.norm(towards))
    assert np.mean(gained) == pytest.approx(np.exp(-0.5 * 1.2**2), abs=0.1)
