"""What scenes vary in is drawn by the seed, within its range, or as it was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from armillary.envs.mujoco.variation import PALETTE
from armillary.envs.stack_blocks.factors import CAMERAS, Factors
from armillary.errors import ArmillaryError


def drawn(seed: int = 0, count: int = 3, vary: tuple[str, ...] = (), **options: Any) -> Factors:
    return Factors.sample(np.random.default_rng(seed), (count, count), "near", vary, options)


def test_by_default_blocks_are_alike_but_for_their_colours() -> None:
    factors = drawn()
    assert factors.sizes == (0.4,) * 3
    assert factors.camera == CAMERAS["near"]
    assert len(set(factors.colors)) == 3
    assert set(factors.colors) <= set(PALETTE.values())
    assert len(set(drawn(count=9).colors)) == 9


def test_seeds_decide_and_ranges_are_kept() -> None:
    everything = ("colors", "sizes", "camera")
    assert drawn(3, vary=everything) == drawn(3, vary=everything)
    found = [drawn(seed, vary=everything) for seed in range(30)]
    assert len({one.camera for one in found}) == 30
    sizes = np.array([one.sizes for one in found])
    assert sizes.min() >= 0.32
    assert sizes.max() <= 0.45
    for one in found:
        colors = np.array(one.colors)
        apart = np.linalg.norm(colors[:, None] - colors, axis=-1)[~np.eye(3, dtype=bool)]
        assert apart.min() > 0.3
        assert np.abs(np.subtract(one.camera.position, CAMERAS["near"].position)).max() <= 0.3


def test_the_number_of_blocks_may_be_drawn_too() -> None:
    rng = np.random.default_rng(0)
    counts = {len(Factors.sample(rng, (1, 3), "near", (), {}).sizes) for _ in range(40)}
    assert counts == {1, 2, 3}


def test_options_fix_factors() -> None:
    factors = drawn(num_blocks=2, colors=["red", (0.1, 0.2, 0.3)], sizes=[0.3, 0.5], camera="op3")
    assert factors.colors == (PALETTE["red"], (0.1, 0.2, 0.3))
    assert factors.sizes == (0.3, 0.5)
    assert factors.camera == CAMERAS["op3"]
    assert factors.looks[1].tolist() == [0.5, 0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"colour": ["red"]}, "unknown reset option 'colour'.*colors"),
        ({"num_blocks": 4}, "from 1 to the 3"),
        ({"num_blocks": 0}, "from 1 to the 3"),
        ({"colors": ["red"]}, "colors must list 3 values"),
        ({"colors": ["red", "green", "bleu"]}, "unknown color 'bleu'.*blue"),
        ({"colors": ["red", "green", (0, 0, 2)]}, "a name or three numbers"),
        ({"colors": ["red", "green", 3]}, "a name or three numbers"),
        ({"colors": 3}, "colors must list 3 values"),
        ({"sizes": [0.4, 0.4, 0.9]}, "half side must lie in"),
        ({"sizes": [0.4, 0.4, "0.4"]}, "half side must lie in"),
        ({"camera": "far"}, "unknown camera 'far'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        drawn(**options)
