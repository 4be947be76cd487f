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


def scene_of(pusher, *blocks):
    return physics.make_scene(np.array(pusher), np.array(blocks))


def test_a_scene_is_a_vector_whose_absent_blocks_are_zero():
    scene = scene_of([0.5, 0.6], disc(0.3, 0.3), disc(0.7, 0.2))
    assert scene.tolist() == [2, 0.5, 0.6, *disc(0.3, 0.3), *disc(0.7, 0.2), *[0] * 16]
    assert physics.blocks_of(scene).tolist() == [disc(0.3, 0.3), disc(0.7, 0.2)]


@pytest.mark.parametrize(
    ("start", "action", "end"),
    [
        ([0.5, 0.5], [1.0, -0.5], [0.6, 0.45]),
        ([0.1, 0.9], [-1.0, 1.0], [0.06, 0.94]),
        ([0.9, 0.1], [0.3, -0.2], [0.93, 0.08]),
        ([0.9, 0.1], [1.0, -1.0], [0.94, 0.06]),
    ],
)
def test_the_pusher_goes_as_far_as_it_is_told_within_the_arena(start, action, end):
    far = disc(0.3, 0.3)
    before = scene_of(start, far)
    after = physics.step(before, np.array(action))
    assert after[1:3] == pytest.approx(end)
    assert np.array_equal(physics.blocks_of(after), [far])
    assert before[1:3].tolist() == start


def test_a_block_is_met_where_the_path_leads_and_nowhere_else():
    contact = physics.PUSHER_RADIUS + 0.07
    for aside, met in ((contact - 0.005, True), (contact + 0.005, False)):
        for scene, action in (
            (scene_of([0.45, 0.5], disc(0.5, 0.5 + aside)), RIGHT),
            (scene_of([0.5, 0.45], disc(0.5 + aside, 0.5)), RIGHT[::-1]),
            (scene_of([0.55, 0.5], disc(0.5, 0.5 - aside)), -RIGHT),
        ):
            after = physics.step(scene, action)
            assert np.array_equal(physics.blocks_of(after), physics.blocks_of(scene)) != met
    ahead = scene_of([0.3, 0.5], disc(0.3 + contact + 0.105, 0.5))
    assert np.array_equal(physics.blocks_of(physics.step(ahead, RIGHT)), physics.blocks_of(ahead))
    behind = scene_of([0.5, 0.5], disc(0.5 - contact - 0.005, 0.5))
    assert physics.step(behind, RIGHT)[1] == pytest.approx(0.6)


def test_a_pushed_block_pushes_the_next_one():
    first, second = 0.3 + 0.07 + TOUCH, 0.3 + 3 * 0.07 + TOUCH + 0.03
    scene = scene_of([0.3, 0.5], disc(first, 0.5), disc(second, 0.5), disc(second, 0.9))
    blocks = physics.blocks_of(physics.step(scene, RIGHT))
    assert blocks[0, 0] > first + 0.08
    assert second + 0.04 < blocks[1, 0] < second + 0.08
    assert blocks[1, 0] - blocks[0, 0] >= 2 * 0.07 - 1e-3
    assert np.array_equal(blocks[2], disc(second, 0.9))


@pytest.mark.parametrize("direction", [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
def test_walls_hold_blocks_and_those_who_push_them(direction):
    direction = np.array(direction)
    place = 0.5 + 0.25 * direction
    scene = scene_of(place - (0.07 + TOUCH) * direction, disc(*place))
    for _ in range(6):
        scene = physics.step(scene, direction)
    block, pusher = physics.blocks_of(scene)[0, :2], scene[1:3]
    assert (block - 0.5) @ direction == pytest.approx(0.5 - 0.07, abs=0.02)
    assert (block - pusher) @ direction == pytest.approx(0.07 + physics.PUSHER_RADIUS, abs=0.02)


@pytest.mark.parametrize("kind", [0, 2])
def test_a_push_beside_the_middle_turns_a_block(kind):
    turned = []
    for aside in (-0.03, 0.0, 0.03):
        block = [0.5, 0.5, 0.0, kind, 0.08, 0.0, 0.0, 0.0]
        scene = scene_of([0.5 - 0.16, 0.5 + aside], block)
        for _ in range(3):
            scene = physics.step(scene, RIGHT)
        turned.append(physics.blocks_of(scene)[0, 2])
    assert turned[0] > 0.1
    assert turned[2] < -0.1 if kind == 0 else turned[2] < turned[0]
    if kind == 0:
        assert turned[1] == pytest.approx(0.0, abs=1e-3)


def test_friction_rolls_a_disc_that_is_pushed_beside_its_middle():
    turned = []
    for aside in (-0.05, 0.05):
        scene = scene_of([0.38, 0.5 + aside], disc(0.5, 0.5))
        turned.append(physics.blocks_of(physics.step(scene, RIGHT))[0, 2])
    assert turned[0] > 0.1
    assert turned[1] == pytest.approx(-turned[0], abs=0.01)


def test_simulating_is_stepping():
    scene = scene_of([0.3, 0.5], disc(0.45, 0.5))
    actions = np.random.default_rng(0).uniform(-1, 1, (4, 2))
    for after, action in zip(physics.simulate(scene, actions), actions, strict=True):
        scene = physics.step(scene, action)
        assert np.array_equal(after, scene)
