"""PushT's scripted policy: it moves the T, keeps in the arena, and goes round."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from armillary.envs.push_t.layout import Factors, clearance, fresh_scene
from armillary.envs.push_t.physics import ARENA, gravity_of, simulate
from armillary.envs.push_t.policies import PushPolicy
from armillary.envs.push_t.routes import way_round
from armillary.errors import ArmillaryError


@pytest.mark.parametrize("hold", [5, 1])
def test_it_pushes_the_block_about(hold: int) -> None:
    moved = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scene = fresh_scene(rng, Factors())
        policy = PushPolicy()
        policy.reset(rng)
        start = scene
        for _ in range(75 // hold):
            scene = simulate(scene, policy.act(scene)[None], hold)[0]
            assert ((scene[:2] >= 0.0) & (scene[:2] <= ARENA)).all()
        moved.append(np.linalg.norm((scene - start)[2:4]))
        assert all(30.0 < at < ARENA - 30.0 for at in gravity_of(scene)), seed
    assert np.median(moved) > 30.0


def test_noise_cannot_hold_it_for_ever() -> None:
    """It gives a waypoint up that it never comes near."""
    rng = np.random.default_rng(0)
    scene = fresh_scene(rng, Factors())
    policy = PushPolicy(free=1.0)
    policy.reset(rng)
    actions = {tuple(policy.act(scene)) for _ in range(100)}
    assert len(actions) > 2


@pytest.mark.parametrize("free", [-0.1, 1.5])
def test_shares_are_probabilities(free: float) -> None:
    with pytest.raises(ArmillaryError, match="a probability"):
        PushPolicy(free)


def test_a_way_round_touches_nothing() -> None:
    rng = np.random.default_rng(0)
    scene = fresh_scene(rng, Factors())
    scene[0:2], scene[2:5] = (256.0, 120.0), (256.0, 200.0, 0.0)
    end = np.array([256.0, 380.0])
    way = way_round(scene, end, 4.0)
    assert len(way) > 1
    assert np.array_equal(way[-1], end)
    nodes = [scene[0:2], *way]
    for start, stop in pairwise(nodes):
        leg = start + np.linspace(0, 1, 30)[:, None] * (stop - start)
        assert clearance(scene, leg).min() > 15.0
    assert way_round(scene, np.array([256.0, 215.0]), 4.0) == []
