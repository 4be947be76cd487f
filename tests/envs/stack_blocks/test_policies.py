"""What collects data: most actions move a block, some stack, and all are in the action space."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.stack_blocks.environment import StackBlocksEnv
from armillary.envs.stack_blocks.policies import StackPolicy
from armillary.envs.stack_blocks.scene import positions_of
from armillary.errors import ArmillaryError


def played(policy: StackPolicy, steps: int) -> tuple[float, float]:
    """The share of actions that move something, and of scenes in which something is stacked."""
    env = StackBlocksEnv(
        heights=policy.heights, terminate_on_success=False, supersampling=1, num_blocks=3
    )
    moved, stacked = 0, 0
    for episode in range(steps // 5):
        env.reset(seed=episode)
        policy.reset(np.random.default_rng(episode))
        for _ in range(5):
            before = env.snapshot()
            action = policy.act(before)
            assert env.action_space.contains(action)
            env.step(action)
            moved += not np.array_equal(before, env.snapshot())
            stacked += positions_of(env.snapshot())[:, 2].max() > 1.1
    return moved / steps, stacked / steps


@pytest.mark.parametrize("heights", [False, True])
def test_most_actions_move_something_and_some_stack(heights: bool) -> None:
    moved, stacked = played(StackPolicy(heights), 150)
    assert 0.5 < moved < 0.9
    assert 0.2 < stacked < 0.8


def test_random_actions_hardly_ever_hit() -> None:
    assert played(StackPolicy(anywhere=0.0, stack=0.0), 100)[0] < 0.15


def test_near_misses_are_put_about_other_blocks_and_seldom_stay_on_them() -> None:
    env, policy = StackBlocksEnv(num_blocks=3), StackPolicy(anywhere=0.0, stack=0.0, beside=1.0)
    policy.reset(np.random.default_rng(0))
    env.reset(seed=0)
    scene = env.snapshot()
    away = np.array(
        [
            np.abs(positions_of(scene)[:, :2] - policy.act(scene)[2:]).max(1).min()
            for _ in range(300)
        ]
    )
    assert (away <= 0.9 + 1e-6).all()
    assert (away > 0.4).mean() > 0.5  # more than half of its side off
    _, stacked = played(policy, 100)
    assert stacked < played(StackPolicy(anywhere=0.0, stack=1.0), 100)[1]


@pytest.mark.parametrize("shares", [(-0.1, 0.5), (0.6, 0.5), (0.5, 0.4, 0.2), (0.5, 0.5, -0.1)])
def test_shares_are_probabilities(shares: tuple[float, ...]) -> None:
    with pytest.raises(ArmillaryError, match="probabilities of at most 1 together"):
        StackPolicy(False, *shares)
