"""What scenes vary in is drawn by the seed, within its range, or as it was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from armillary.envs.mujoco.variation import PALETTE
from armillary.envs.towel_pick.factors import CAMERAS, Factors
from armillary.envs.towel_pick.scene import SHAPES
from armillary.errors import ArmillaryError


def drawn(seed: int = 0, count: int = 4, vary: tuple[str, ...] = (), **options: Any) -> Factors:
    return Factors.sample(np.random.default_rng(seed), (count, count), "front", vary, options)


def test_by_default_there_is_one_of_each_shape() -> None:
    factors = drawn()
    assert {*factors.shapes} == {*SHAPES}
    assert len({drawn(seed).shapes for seed in range(9)}) > 1
    assert factors.sizes == (0.036,) * 4
    assert factors.camera == CAMERAS["front"]
    assert len(set(factors.colors)) == 4
    assert set(factors.colors) <= set(PALETTE.values())
    assert {*drawn(count=6).shapes} == {*SHAPES}


def test_seeds_decide_and_ranges_are_kept() -> None:
    everything = ("shapes", "sizes", "colors", "camera")
    assert drawn(3, vary=everything) == drawn(3, vary=everything)
    found = [drawn(seed, vary=everything) for seed in range(30)]
    assert len({one.camera for one in found}) == 30
    assert any(len({*one.shapes}) < 4 for one in found)
    sizes = np.array([one.sizes for one in found])
    assert sizes.min() >= 0.03
    assert sizes.max() <= 0.038
    for one in found:
        assert np.abs(np.subtract(one.camera.position, CAMERAS["front"].position)).max() <= 0.03


def test_options_fix_factors() -> None:
    factors = drawn(
        num_objects=2,
        shapes=["box", "box"],
        colors=["red", (0.1, 0.2, 0.3)],
        sizes=[0.03, 0.04],
        camera="above",
    )
    assert factors.camera == CAMERAS["above"]
    assert factors.looks.tolist() == [[0, 0.03, *PALETTE["red"]], [0, 0.04, 0.1, 0.2, 0.3]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shape": ["box"]}, "unknown reset option 'shape'.*shapes"),
        ({"num_objects": 5}, "from 1 to the 4"),
        ({"num_objects": 0}, "from 1 to the 4"),
        ({"colors": ["red"]}, "colors must list 4 values"),
        ({"colors": ["red", "green", "blue", "yelow"]}, "unknown color 'yelow'.*yellow"),
        ({"shapes": ["box", "box", "box", "towel"]}, "unknown shape 'towel'"),
        ({"sizes": [0.036, 0.036, 0.036, 0.06]}, "size must lie in"),
        ({"camera": "far"}, "unknown camera 'far'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        drawn(**options)
