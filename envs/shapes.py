"""The shapes of things, which are drawn and collide."""

from __future__ import annotations

import math
from functools import lru_cache

SHAPES = ("square", "disc", "triangle")


@lru_cache(maxsize=1024)
def polygon(shape: str, size: float) -> list[tuple[float, float]]:
    """Vertices of a square or a triangle around its centre of mass.

    ``size`` is the radius of the disc with its area, in arena widths.
    """
    sides, turn = {"square": (4, math.pi / 4), "triangle": (3, math.pi / 2)}[shape]
    area_of_unit = sides / 2 * math.sin(2 * math.pi / sides)
    radius = size * math.sqrt(math.pi / area_of_unit)
    angles = [turn + 2 * math.pi * i / sides for i in range(sides)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


@lru_cache(maxsize=1024)
def circumradius(shape: str, size: float) -> float:
    """Distance from a shape's centre to its furthest point."""
    return size if shape == "disc" else math.hypot(*polygon(shape, size)[0])
