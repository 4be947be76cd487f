"""What SpriteGoals' scenes vary in: how many sprites, their shapes, sizes and colours, the grey."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import SPRITE
from armillary.envs.options import Color, color, counted, known, listed, within
from armillary.envs.shapes import SHAPES

SIZE_RANGE = (0.05, 0.15)
"""Radii of discs of equal area that can be asked for, in image widths."""
GREY_RANGE = (0.1, 0.9)

_DRAWN_SIZES = (0.08, 0.11)


@dataclass(frozen=True)
class Factors:
    """The factors of variation of a scene; all but the background have one entry per sprite.

    Attributes:
        shapes: names out of ``armillary.envs.shapes.SHAPES``.
        sizes: radius of the disc of equal area, in image widths, in ``SIZE_RANGE``.
        colors: RGB in [0, 1].
        background: its grey, in ``GREY_RANGE``.
    """

    shapes: tuple[str, ...]
    sizes: tuple[float, ...]
    colors: tuple[Color, ...]
    background: float

    @classmethod
    def sample(
        cls, rng: np.random.Generator, counts: tuple[int, int], options: Mapping[str, Any]
    ) -> Factors:
        """Draws the factors that ``options`` leaves open.

        Args:
            rng: the environment's generator.
            counts: the least and the greatest number of sprites.
            options: any of ``num_sprites`` and the attributes above.

        Raises:
            ArmillaryError: an option is unknown or out of its range.
        """
        for option in options:
            known("reset option", option, ["num_sprites", *(field.name for field in fields(cls))])
        count = counted(rng, options, "num_sprites", counts)
        shapes = rng.choice(SHAPES, count).tolist()
        sizes = rng.uniform(*_DRAWN_SIZES, count).round(4).tolist()
        colors, grey = _told_apart(rng, count), float(rng.uniform(*GREY_RANGE))
        return cls(
            shapes=tuple(known("shape", one, SHAPES) for one in listed(options, "shapes", shapes)),
            sizes=tuple(
                within("a sprite's size", size, SIZE_RANGE, "image widths")
                for size in listed(options, "sizes", sizes)
            ),
            colors=tuple(color("color", one, {}) for one in listed(options, "colors", colors)),
            background=within(
                "the background's grey", options.get("background", grey), GREY_RANGE, "of white"
            ),
        )

    def rows(self, rng: np.random.Generator, drift: float) -> NDArray[np.float64]:
        """(n, 10): such sprites, turned and moving as is drawn, in the middle.

        Args:
            rng: the environment's generator.
            drift: the greatest speed, in image widths a step; the least is half of it.
        """
        rows = np.zeros((len(self.shapes), SPRITE))
        heading, speed = rng.uniform((-math.pi, 0.5), (math.pi, 1.0), (len(rows), 2)).T
        rows[:, :2] = 0.5
        rows[:, 2] = drift * speed * np.cos(heading)
        rows[:, 3] = drift * speed * np.sin(heading)
        rows[:, 4] = rng.uniform(-math.pi, math.pi, len(rows))
        rows[:, 5] = [SHAPES.index(shape) for shape in self.shapes]
        rows[:, 6:9] = self.colors
        rows[:, 9] = self.sizes
        return rows


def _told_apart(rng: np.random.Generator, count: int) -> list[Color]:
    """Colours whose hues are at least half of a count-th of the circle apart."""
    hues = (rng.random() + (rng.permutation(count) + rng.uniform(0.0, 0.5, count)) / count) % 1.0
    strong = rng.uniform(0.6, 1.0, (count, 2))
    return [
        colorsys.hsv_to_rgb(hue, *pair)
        for hue, pair in zip(hues.tolist(), strong.tolist(), strict=True)
    ]
