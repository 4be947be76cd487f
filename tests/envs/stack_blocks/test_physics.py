"""Picking and placing: a pure function, to the bit; towers stand, and misses do nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from armillary.envs.stack_blocks.physics import picked, put_down, settled, simulate, step
from armillary.envs.stack_blocks.scene import poses_of, positions_of, state_of
from tests.envs.stack_blocks.scenes import act, blocks_at

THREE = ((-1.5, 1.5), (0.0, 3.0), (1.5, 2.0))


def tower() -> np.ndarray:
    scene = blocks_at(*THREE)
    return simulate(scene, np.array([[0.0, 3.0, 1.5, 2.0], [-1.5, 1.5, 1.5, 2.0]]))[-1]


def test_a_block_is_put_where_it_was_told_to() -> None:
    scene = blocks_at(*THREE)
    after = step(scene, act(0.1, 2.9, -0.5, 1.6))
    assert positions_of(after)[1] == pytest.approx([-0.5, 1.6, 0.4], abs=0.01)
    assert positions_of(after)[[0, 2]] == pytest.approx(positions_of(scene)[[0, 2]], abs=0.01)


def test_blocks_are_stacked_and_stand() -> None:
    scene = tower()
    assert positions_of(scene) == pytest.approx(
        np.array([[1.5, 2.0, 2.0], [1.5, 2.0, 1.2], [1.5, 2.0, 0.4]]), abs=0.03
    )
    waited = scene
    for _ in range(5):
        waited = settled(waited)
    assert positions_of(waited) == pytest.approx(positions_of(scene), abs=0.01)


def test_a_block_on_an_edge_falls() -> None:
    after = step(blocks_at((0.0, 2.0), (1.5, 2.0)), act(1.5, 2.0, 0.5, 2.0))
    assert positions_of(after)[1, 2] < 1.0


def test_without_heights_the_highest_is_picked() -> None:
    assert picked(tower(), act(1.5, 2.0)) == 0
    after = step(tower(), act(1.5, 2.0, -1.0, 3.0))
    assert positions_of(after)[0] == pytest.approx([-1.0, 3.0, 0.4], abs=0.01)


def test_with_heights_the_nearest_is_picked_and_let_go_from_the_height_named() -> None:
    scene = tower()
    assert [picked(scene, act(1.5, 2.0, z)) for z in (0.4, 1.2, 2.0, 0.8)] == [2, 1, 0, None]
    held = put_down(blocks_at((0.0, 2.0)), 0, act(1.0, 2.0, 2.0))
    assert positions_of(held)[0] == pytest.approx([1.0, 2.0, 2.0])
    after = step(blocks_at((0.0, 2.0)), act(0.0, 2.0, 0.4, 1.0, 2.0, 2.0))
    assert positions_of(after)[0] == pytest.approx([1.0, 2.0, 0.4], abs=0.1)


@pytest.mark.parametrize("aside", [0.19, -0.19])
def test_picks_reach_two_tenths(aside: float) -> None:
    scene = blocks_at((0.0, 2.0))
    assert picked(scene, act(aside, 2.0 + aside)) == 0
    assert picked(scene, act(aside + np.sign(aside) * 0.02, 2.0)) is None


def test_a_miss_changes_nothing_to_the_bit() -> None:
    scene = blocks_at(*THREE)
    for action in (np.zeros(4), act(0.5, 3.0, 1.0, 2.0), np.zeros(6)):
        after = step(scene, action)
        assert np.array_equal(after, scene)
        assert after is not scene


def test_places_outside_of_the_arena_are_brought_to_its_edge() -> None:
    after = step(blocks_at((0.0, 2.0)), act(0.0, 2.0, 2.5, 0.0))
    assert positions_of(after)[0] == pytest.approx([2.5, 1.0, 0.4], abs=0.01)


def test_a_block_is_never_put_into_another() -> None:
    scene = blocks_at((0.0, 2.0), (1.5, 2.0))
    held = put_down(scene, 1, act(0.3, 2.2, 0.4))
    assert positions_of(held)[1, 2] == pytest.approx(1.22, abs=0.01)


def test_a_step_is_a_pure_function_to_the_bit() -> None:
    scene = blocks_at(*THREE)
    kept = scene.copy()
    rng = np.random.default_rng(0)
    targets = rng.uniform([-2.5, 1.0], [2.5, 4.0], (4, 2))
    actions = [np.append(positions_of(scene)[i % 3, :2], at) for i, at in enumerate(targets)]
    first = simulate(scene, np.array(actions))
    step(blocks_at((0.5, 3.0), (-1.0, 2.0), (2.0, 3.0)), act(0.5, 3.0, 2.0, 3.0))  # another scene
    again = scene
    for action, known in zip(actions, first, strict=True):
        again = step(again, action)
        assert np.array_equal(again, known)
    assert np.array_equal(scene, kept)
    assert not np.array_equal(first[0], first[-1])


def test_a_block_that_is_put_down_is_upright_and_at_rest() -> None:
    fallen = step(blocks_at((0.0, 2.0), (1.5, 2.0)), act(1.5, 2.0, 0.52, 2.0))
    held = put_down(fallen, 1, act(-1.0, 2.0))
    assert poses_of(held)[1, 3:].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert (state_of(held)[1 + 14 :].reshape(2, 2, 6)[:, 1] == 0.0).all()


def test_it_is_fast() -> None:
    """Some 1,000 a second; five times as long is let pass."""
    scene = blocks_at(*THREE)
    began = time.process_time()
    for _ in range(40):
        scene = step(scene, np.append(positions_of(scene)[0, :2], (-1.0, 3.5)))
    assert time.process_time() - began < 0.2
