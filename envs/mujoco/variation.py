"""What scenes vary in that rays draw: colours that are told apart, and who looks."""

from __future__ import annotations

from typing import Any

import numpy as np

from armillary.envs import options
from armillary.envs.mujoco.camera import Camera
from armillary.envs.options import Color

PALETTE: dict[str, Color] = {
    **options.PALETTE,
    "orange": (0.95, 0.48, 0.10),
    "white": (0.96, 0.96, 0.96),
    "black": (0.12, 0.12, 0.14),
}
_FIRST = len(options.PALETTE)
"""Colours that are told apart best; the others are taken where there are more things."""
_APART = 0.3


def distinct_colors(rng: np.random.Generator, count: int, vary: bool) -> list[Any]:
    """So many different colours: names of ``PALETTE``, or any RGB of which no two are close."""
    if not vary:
        names = list(PALETTE)
        return rng.permutation(names[:_FIRST] if count <= _FIRST else names)[:count].tolist()
    found: list[list[float]] = []
    while len(found) < count:
        color = rng.uniform(0.0, 1.0, 3).round(3)
        if all(np.linalg.norm(color - other) > _APART for other in found):
            found.append(color.tolist())
    return found


def moved(
    rng: np.random.Generator, camera: Camera, place: float, target: float, angle: float
) -> Camera:
    """A camera near another.

    Args:
        rng: draws.
        camera: the other.
        place: greatest change of each coordinate of its position, in the scene's units.
        target: of x and y of what it looks at.
        angle: of its angle, in degrees.
    """
    x, y, z = (camera.position + rng.uniform(-place, place, 3)).tolist()
    to_x, to_y = (camera.target[:2] + rng.uniform(-target, target, 2)).tolist()
    fovy = camera.fovy + float(rng.uniform(-angle, angle))
    return Camera((x, y, z), (to_x, to_y, camera.target[2]), fovy)
