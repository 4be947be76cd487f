"""Problems of PushBlocks: room between things, one block to move, factors as they were asked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from armillary.envs.options import PALETTE
from armillary.envs.push_blocks import physics
from armillary.envs.push_blocks.layout import Factors, sample_problem
from armillary.envs.push_blocks.pushes import GOAL_DISTANCE
from armillary.envs.shapes import SHAPES, circumradius
from armillary.errors import ArmillaryError


def drawn(seed, count=3, **options):
    rng = np.random.default_rng(seed)
    factors = Factors.sample(rng, count, options)
    return factors, *sample_problem(rng, factors)


@pytest.mark.parametrize("num_moved", [1, 2, 3])
def test_as_many_blocks_lie_elsewhere_as_were_asked_for(num_moved):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        factors = Factors.sample(rng, 3, {})
        start, goal = sample_problem(rng, factors, num_moved=num_moved)
        places = [physics.blocks_of(scene)[:, :2] for scene in (start, goal)]
        moved = np.linalg.norm(places[1] - places[0], axis=1)
        assert (moved >= GOAL_DISTANCE[0] - 0.01).sum() == num_moved
        assert (moved < 0.01).sum() == 3 - num_moved


def reach_of(block):
    return circumradius(SHAPES[int(block[3])], block[4])


def test_problems_leave_room_between_things_and_ask_for_one_push():
    pushers, angles, displacements = [], [], []
    for seed in range(60):
        factors, start, goal = drawn(seed)
        blocks, wanted = physics.blocks_of(start), physics.blocks_of(goal)
        assert len(blocks) == len(wanted) == 3
        assert ((blocks[:, :2] >= 0.2) & (blocks[:, :2] <= 0.8)).all()
        for i, block in enumerate(blocks):
            for other in blocks[:i]:
                assert math.dist(block[:2], other[:2]) >= reach_of(block) + reach_of(other) + 0.02
            room = reach_of(block) + physics.PUSHER_RADIUS
            assert math.dist(start[1:3], block[:2]) > room + 0.02
        for pusher in (start[1:3], goal[1:3]):
            assert (pusher >= physics.PUSHER_RADIUS).all()
            assert (pusher <= 1 - physics.PUSHER_RADIUS).all()
        assert np.array_equal(blocks[:, 3:], wanted[:, 3:])
        assert blocks[:, 4].tolist() == list(factors.sizes)
        assert [SHAPES[int(kind)] for kind in blocks[:, 3]] == list(factors.shapes)
        moved = np.linalg.norm(wanted[:, :2] - blocks[:, :2], axis=1)
        pushed = int(moved.argmax())
        assert GOAL_DISTANCE[0] <= moved[pushed] <= GOAL_DISTANCE[1]
        assert (np.delete(moved, pushed) < 0.01).all()
        # Who pushed it there is still beside it.
        away = math.dist(goal[1:3], wanted[pushed, :2])
        assert away < reach_of(wanted[pushed]) + physics.PUSHER_RADIUS + 0.05
        pushers.append(start[1:3])
        angles += blocks[:, 2].tolist()
        displacements.append(wanted[pushed, :2] - blocks[pushed, :2])
    assert np.ptp(pushers, axis=0) == pytest.approx(0.8, abs=0.1)
    assert min(angles) < -2.5
    assert max(angles) > 2.5
    assert max(map(abs, angles)) <= math.pi
    assert np.abs(np.mean(displacements, axis=0)).max() < 0.12
    lengths = np.linalg.norm(displacements, axis=1)
    assert np.quantile(lengths, [0.1, 0.9]) == pytest.approx([0.165, 0.28], abs=0.03)


def test_what_is_left_open_is_drawn_from_everything():
    factors = [drawn_factors(seed) for seed in range(60)]
    assert {shape for f in factors for shape in f.shapes} == set(SHAPES)
    assert {color for f in factors for color in f.colors} == set(PALETTE.values())
    assert all(len(set(f.colors)) == 3 for f in factors)
    sizes = [size for f in factors for size in f.sizes]
    assert 0.065 <= min(sizes) < 0.067
    assert 0.078 < max(sizes) <= 0.08


def drawn_factors(seed, count=3, **options):
    return Factors.sample(np.random.default_rng(seed), count, options)


def test_what_is_asked_for_is_kept_and_draws_nothing_else_anew():
    free, fixed = drawn_factors(0), drawn_factors(0, sizes=[0.05, 0.1, 0.06])
    assert fixed.sizes == (0.05, 0.1, 0.06)
    assert (fixed.shapes, fixed.colors) == (free.shapes, free.colors)
    assert len(drawn_factors(0, num_blocks=1).shapes) == 1
    assert len(drawn_factors(0, num_blocks=4).shapes) == 4
    assert drawn_factors(0, 1, colors=[(0.0, 1.0, 0.5)]).colors == ((0.0, 1.0, 0.5),)
    assert drawn_factors(0, 1, colors=["cyan"]).colors == (PALETTE["cyan"],)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_blocks": 0}, "from 1 to 4, got 0"),
        ({"sizes": [0.05, 0.05]}, "sizes must list 3 values"),
        ({"shapes": "disc"}, "shapes must list 3 values"),
        ({"sizes": [0.05, 0.1, 0.049]}, "must lie in"),
        ({"sizes": [0.05, 0.1, None]}, "must lie in"),
        ({"colors": ["red", "green", None]}, "three numbers"),
        ({"sizes": [0.05, 0.1, 0.101]}, "must lie in"),
        ({"colors": [(0, 0, 0), (1, 1, 1), (0, 0, 1.1)]}, "in .0, 1., got"),
        ({"colors": [(0, 0, 0), (1, 1, 1), (0, 0, -0.1)]}, "in .0, 1., got"),
        ({"colors": [(0, 0, 0), (1, 1, 1), (0, 0)]}, "three numbers"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ArmillaryError, match=message):
        drawn_factors(0, **options)
