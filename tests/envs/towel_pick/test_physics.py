"""The gripper goes where it is sent, pushes, holds and drops; all else rests; bits repeat."""

from __future__ import annotations

import time

import numpy as np
import pytest

from armillary.envs.towel_pick.physics import BIN, REACH, simulate, step
from armillary.envs.towel_pick.scene import SHAPES, gripper_of, poses_of, positions_of
from tests.envs.towel_pick.scenes import APART, OPEN, UP, act, objects_at, played

NOTHING = act(0.0, 0.0, 0.0, 0.0)


def test_the_gripper_goes_where_it_is_sent() -> None:
    scene = objects_at(*APART)
    for axis in range(3):
        action = act(0.0, 0.0, 0.0, 0.0)
        action[axis] = -0.6
        moved = gripper_of(step(scene, action))[:3] - gripper_of(scene)[:3]
        assert moved == pytest.approx(0.05 * action[:3], abs=2e-3)


def test_it_stays_over_the_bin() -> None:
    for way in (1.0, -1.0):
        scene = played(
            objects_at((0.1, 0.2), gripper=(-0.1, 0.0, 0.18)), *[act(way, way, way, 0)] * 12
        )
        end = REACH[0 if way < 0 else 1]
        assert gripper_of(scene)[:3] == pytest.approx(end, abs=2e-3)
        assert gripper_of(step(scene, act(-way, 0, 0, 0)))[0] == pytest.approx(
            end[0] - 0.05 * way, abs=3e-3
        )


def test_fingers_close_and_open() -> None:
    scene = objects_at(*APART, fingers=OPEN)
    closed = played(scene, *[act(0, 0, 0, 1)] * 4)
    assert gripper_of(closed)[3:] == pytest.approx([0.0, 0.0], abs=3e-3)
    opened = played(closed, *[act(0, 0, 0, -1)] * 3)
    assert gripper_of(opened)[3:] == pytest.approx(OPEN, abs=3e-3)


def test_what_is_not_touched_rests() -> None:
    scene = objects_at(*APART)
    later = played(scene, act(0.5, 0.3, 0.1, -1.0), *[NOTHING] * 20)
    assert positions_of(later) == pytest.approx(positions_of(scene), abs=5e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_push_moves_what_it_meets_and_it_comes_to_rest(shape: str) -> None:
    scene = objects_at((0.0, 0.0), (0.15, 0.15), gripper=(0.0, -0.08, 0.012), shapes=(shape, "box"))
    pushed = played(scene, *[act(0.0, 0.9, 0.0, 0.0)] * 3)
    moved = positions_of(pushed) - positions_of(scene)
    assert 0.06 < moved[0, 1] < 0.15
    assert abs(moved[1]).max() < 1e-3
    rested = played(pushed, *[NOTHING] * 5)
    assert positions_of(step(rested, NOTHING)) == pytest.approx(positions_of(rested), abs=2e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_gripped_is_lifted_held_and_dropped(shape: str) -> None:
    scene = objects_at((0.0, 0.0), gripper=(0.0, 0.0, 0.012), fingers=OPEN, shapes=(shape,))
    low = positions_of(scene)[0, 2]
    lifted = played(scene, *[act(0, 0, 0, 1)] * 3, *[act(0.2, 0, 0.8, 0)] * 3, NOTHING)
    assert positions_of(lifted)[0, 2] > low + 0.1
    held = played(lifted, *[NOTHING] * 10)
    assert positions_of(held) == pytest.approx(positions_of(lifted), abs=0.01)
    dropped = played(held, *[act(0, 0, 0, -1)] * 3, *[NOTHING] * 3)
    assert positions_of(dropped)[0, 2] < low + 0.02


def test_nothing_leaves_the_bin() -> None:
    scene = objects_at((0.15, 0.0), gripper=(0.05, 0.0, 0.012))
    pushed = played(scene, *[act(1, 0, 0, 0)] * 6)
    assert 0.18 < positions_of(pushed)[0, 0] < BIN
    assert positions_of(pushed)[0, 2] > 0.02


def test_a_step_is_a_pure_function() -> None:
    scene, rng = objects_at(*APART, fingers=OPEN), np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (12, 4))
    actions[:6, 2] -= 0.5
    kept, first = scene.copy(), simulate(scene, actions)
    again = objects_at(*APART[::-1], shapes=SHAPES[::-1])
    played(again, *actions)  # what was computed before does not matter
    other = scene
    for action, known in zip(actions, first, strict=True):
        other = step(other, action)
        assert np.array_equal(other, known)
    assert np.array_equal(scene, kept)
    assert np.abs(np.linalg.norm(poses_of(other)[:, 3:], axis=1) - 1.0).max() < 1e-9


def test_it_is_fast() -> None:
    """Some 2,000 a second; five times as long is let pass."""
    scene = objects_at(*APART, gripper=UP)
    began = time.process_time()
    simulate(scene, np.zeros((40, 4)))
    assert time.process_time() - began < 0.1
