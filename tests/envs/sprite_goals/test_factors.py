"""What scenes of SpriteGoals vary in, and what can be asked for."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest

from armillary.envs.shapes import SHAPES
from armillary.envs.sprite_goals.factors import Factors
from armillary.errors import ArmillaryError


def drawn(seed: int, counts: tuple[int, int] = (3, 3), **options: Any) -> Factors:
    return Factors.sample(np.random.default_rng(seed), counts, options)


def test_what_is_left_open_is_drawn_from_everything() -> None:
    factors = [drawn(seed, (1, 4)) for seed in range(80)]
    assert {len(one.shapes) for one in factors} == {1, 2, 3, 4}
    assert {shape for one in factors for shape in one.shapes} == set(SHAPES)
    sizes = [size for one in factors for size in one.sizes]
    assert 0.08 <= min(sizes) < 0.083
    assert 0.107 < max(sizes) <= 0.11
    greys = [one.background for one in factors]
    assert min(greys) < 0.2
    assert max(greys) > 0.8


def test_hues_are_told_apart() -> None:
    for seed in range(60):
        colors = drawn(seed, (6, 6)).colors
        hues = np.array([colorsys.rgb_to_hsv(*color)[0] for color in colors])
        apart = np.abs((hues[:, None] - hues + 0.5) % 1.0 - 0.5)
        assert apart[~np.eye(6, dtype=bool)].min() >= 0.5 / 6 - 1e-9
        assert max(min(color) for color in colors) <= 0.4


def test_what_is_asked_for_is_kept() -> None:
    options = {
        "num_sprites": 2,
        "shapes": ["disc", "triangle"],
        "sizes": [0.06, 0.12],
        "colors": [(1, 0, 0), (0.1, 0.2, 0.3)],
        "background": 0.5,
    }
    factors = drawn(0, (3, 4), **options)
    assert factors.shapes == ("disc", "triangle")
    assert factors.sizes == (0.06, 0.12)
    assert factors.colors == ((1.0, 0.0, 0.0), (0.1, 0.2, 0.3))
    assert factors.background == 0.5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_sprites": 4}, "num_sprites must be from 1 to the 3"),
        ({"num_sprite": 2}, "unknown reset option 'num_sprite'; did you mean 'num_sprites'"),
        ({"shapes": ["disc"]}, "shapes must list 3 values, one each"),
        ({"shapes": ["disc", "disc", "star"]}, "unknown shape 'star'"),
        ({"sizes": [0.1, 0.1, 0.5]}, "a sprite's size must lie in"),
        ({"colors": [[1, 0, 0], "red", [0, 1, 0]]}, "three numbers in"),
        ({"background": 1.0}, "the background's grey must lie in"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        drawn(0, **options)
