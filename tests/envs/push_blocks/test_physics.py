"""Physics of pushing: who moves, how far, and what a block's mass is."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.push_blocks import physics

RIGHT = np.array([1.0, 0.0])
TOUCH = physics.PUSHER_RADIUS + 1e-3


def disc(x, y, size=0.07):
    return [x, y, 0.0, physics.SHAPES.index("disc"), size, 0.0, 0.0, 0.0]


def pushed(size):
    """How far the pusher gets, and a disc of this size that it touched."""
    scene = physics.make_scene(
        np.array([0.4 - size - TOUCH, 0.5]), np.array([disc(0.4, 0.5, size)])
    )
    after = physics.step(scene, RIGHT)
    return after[1] - scene[1], physics.blocks_of(after)[0, 0] - 0.4


def test_a_discs_mass_is_its_area():
    lost = np.array([physics.STEP_LENGTH - pushed(size)[0] for size in (0.05, 0.1)])
    mass = lost / (physics.STEP_LENGTH - 1e-3 - lost)  # the impulse is shared in proportion
    assert mass[1] / mass[0] == pytest.approx(4.0, rel=0.02)


def test_a_pushed_disc_goes_before_the_pusher_and_stays_when_that_stops():
    reached, moved = pushed(0.05)
    assert moved == pytest.approx(reached - 1e-3, abs=1e-3)
    assert 0.09 < reached < physics.STEP_LENGTH
