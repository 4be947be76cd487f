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
