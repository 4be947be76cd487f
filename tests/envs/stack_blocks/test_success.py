"""Success by distance, and OP3's rule, which is another."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.stack_blocks.scene import looks_of
from armillary.envs.stack_blocks.success import distances, op3_rule
from tests.envs.stack_blocks.scenes import blocks_at


def test_distances_are_to_each_blocks_own_place() -> None:
    scene, goal = blocks_at((0, 2), (1, 3)), blocks_at((1, 3), (0, 2))
    assert distances(scene, goal) == pytest.approx(np.sqrt(2.0), abs=0.01)
    assert distances(scene, scene).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("apart", "share"), [(0.9, 1.0), (0.94, 1.0), (0.96, 0.0)])
def test_op3s_rule_is_a_mean_of_squares(apart: float, share: float) -> None:
    """0.3 of the mean over x, y and z is the square of 0.949."""
    assert op3_rule(blocks_at((0.0, 2.0)), blocks_at((apart, 2.0))) == share


def test_op3s_rule_adds_the_colours_and_lets_blocks_share_a_place() -> None:
    near = blocks_at((0.0, 2.0), (0.0, 3.0))
    goal = blocks_at((0.0, 2.0), (2.0, 3.9))
    looks_of(goal)[:, 1:] = looks_of(near)[:, 1:] = 0.5
    assert op3_rule(near, goal) == 0.5  # the second is a whole unit from both
    closer = blocks_at((0.0, 2.0), (0.0, 2.9))
    looks_of(closer)[:, 1:] = 0.5
    assert op3_rule(closer, goal) == 1.0  # both take the first one of the goal
    looks_of(closer)[1, 1:] = 1.0
    assert op3_rule(closer, goal) == 0.5  # a quarter of .75 for the colour, and .27 for the place
