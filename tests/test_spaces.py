"""Actions as vectors: there and back for every kind of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from armillary.errors import ArmillaryError
from armillary.spaces import OneHot, admitted, ends, native, uniform, vectors

KINDS: list[tuple[spaces.Space[Any], int]] = [
    (spaces.Box(-1.0, 2.0, (3,), np.float64), 3),
    (spaces.Box(np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)), 4),
    (spaces.Box(-0.1, 0.3, (2,), np.float64), 2),
    (spaces.Discrete(4, start=-1), 4),
    (spaces.MultiDiscrete([2, 3], start=[0, 5]), 5),
    (spaces.MultiBinary(2), 4),
]


@pytest.mark.parametrize(("space", "size"), KINDS, ids=lambda kind: str(kind)[:12])
def test_every_vector_is_an_action_of_the_environment(space: spaces.Space[Any], size: int) -> None:
    coded, rng = vectors(space), np.random.default_rng(0)
    assert coded.shape == (size,)
    drawn = [uniform(coded, rng) for _ in range(60)]
    for vector in drawn:
        assert vector.dtype == np.float32
        assert space.contains(native(space, vector))
        assert np.array_equal(admitted(coded, vector), vector)
    assert len({np.asarray(native(space, vector)).tobytes() for vector in drawn}) >= 4


def test_one_hot_vectors_are_what_the_space_contains() -> None:
    space = OneHot(2, 3)
    space.seed(0)
    assert all(space.contains(space.sample()) for _ in range(5))
    assert not space.contains(np.full(5, 0.5, np.float32))
    assert admitted(space, np.array([0.2, 0.1, 0.0, 3.0, -1.0])).tolist() == [1, 0, 0, 1, 0]
    assert space == OneHot(2, 3) != OneHot(3, 2)


def test_other_spaces_are_refused() -> None:
    with pytest.raises(ArmillaryError, match="Discrete, MultiDiscrete or MultiBinary"):
        vectors(spaces.Text(3))
    for kind in (np.int64, np.uint8, np.bool_):
        with pytest.raises(ArmillaryError, match="whole numbers are a MultiDiscrete space"):
            vectors(spaces.Box(0, 1, (2,), kind))


def test_ends_of_double_precision_are_rounded_inwards() -> None:
    space = spaces.Box(np.array([-0.3, 0.1, 0.3]), np.array([0.3, 0.7, 0.3]), dtype=np.float64)
    low, high = ends(space)
    assert low.dtype == high.dtype == np.float32
    assert (low[:2] >= space.low[:2]).all()
    assert (high[:2] <= space.high[:2]).all()
    assert low[2] == high[2] == np.float32(0.3), "where there is no room it is the nearest"
    assert np.abs(high - space.high).max() < 1e-7
    assert (admitted(space, np.full(3, 9.0))[:2] <= space.high[:2]).all()
