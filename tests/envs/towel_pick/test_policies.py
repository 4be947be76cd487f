"""What collects data: pushes move objects, picks lift them, and random motion hardly ever does."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.towel_pick.environment import TowelPickEnv
from armillary.envs.towel_pick.policies import TowelPolicy
from armillary.envs.towel_pick.scene import positions_of
from armillary.errors import ArmillaryError


def played(policy: TowelPolicy, episodes: int) -> tuple[float, float]:
    """The shares of episodes in which something is pushed by 3 cm, and in which it is lifted so."""
    env = TowelPickEnv(terminate_on_success=False, fewest_objects=1)
    pushed, lifted = 0, 0
    for episode in range(episodes):
        env.reset(seed=episode)
        policy.reset(np.random.default_rng(episode))
        before = positions_of(env.snapshot()).copy()
        apart = []
        for _ in range(20):
            action = policy.act(env.snapshot())
            assert env.action_space.contains(action)
            env.step(action)
            apart.append(np.abs(positions_of(env.snapshot()) - before).max(0))
        pushed += np.max(apart, 0)[:2].max() > 0.03
        lifted += np.max(apart, 0)[2] > 0.03
    return pushed / episodes, lifted / episodes


def test_pushes_push_and_picks_lift() -> None:
    assert played(TowelPolicy(push=1.0, pick=0.0), 15)[0] > 0.7
    assert played(TowelPolicy(push=0.0, pick=1.0), 15)[1] > 0.6
    pushed, lifted = played(TowelPolicy(), 15)
    assert pushed > 0.5
    assert lifted > 0.1


def test_random_motion_hardly_ever_does() -> None:
    assert played(TowelPolicy(push=0.0, pick=0.0), 15)[1] < 0.3


def test_nudges_touch_and_miss() -> None:
    pushed, lifted = played(TowelPolicy(push=0.0, pick=0.0, nudge=1.0), 15)
    assert 0.4 < pushed < 1.0
    assert lifted < 0.4
    assert pushed > played(TowelPolicy(push=0.0, pick=0.0), 15)[0]


@pytest.mark.parametrize("shares", [(-0.1, 0.5), (0.6, 0.5), (0.4, 0.3, 0.4), (0.4, 0.3, -0.1)])
def test_shares_are_probabilities(shares: tuple[float, ...]) -> None:
    with pytest.raises(ArmillaryError, match="probabilities of at most 1 together"):
        TowelPolicy(**dict(zip(("push", "pick", "nudge"), shares, strict=False)))
