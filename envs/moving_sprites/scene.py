"""Scenes of sprites: flat vectors, how they are drawn, which sprite is where, how sprites move."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.drawing import Shape, draw_shapes, signed_distance
from armillary.envs.shapes import SHAPES

HEADER, SPRITE, POSE = 2, 10, 4
"""A scene vector has the number of sprites, the grey of the background in [0, 1], then per sprite
x, y, velocity x and y, angle in radians, index into ``SHAPES``, red, green, blue, and the radius of
the disc of its area. Lengths are in image widths. Rows of absent sprites are zero. ``poses_of``
has what of a sprite is observed."""
MARGIN = 0.1
"""How near the edge of the image a sprite's centre may be."""

Scene = NDArray[np.float64]


def scene_size(most: int) -> int:
    """Length of the vector of a scene with room for so many sprites."""
    return HEADER + SPRITE * most


def sprites_of(scene: Scene) -> NDArray[np.float64]:
    """(n, 10) view of the sprites that are present."""
    return scene[HEADER:].reshape(-1, SPRITE)[: int(scene[0])]


def poses_of(scene: Scene) -> NDArray[np.float64]:
    """(n, 4): x, y, cos and sin of the angle of the sprites that are present."""
    x, y, angle = sprites_of(scene)[:, [0, 1, 4]].T
    return np.stack([x, y, np.cos(angle), np.sin(angle)], 1)


def render_sprites(scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws a scene vector: the frame (H, W, 3) and its labels (H, W), 1 + i for sprite i.

    Later sprites lie upon earlier ones.
    """
    grey = float(scene[1])
    return draw_shapes(_shapes(scene), (grey, grey, grey), size)


def sprite_at(scene: Scene, point: NDArray[np.float64]) -> int | None:
    """The uppermost sprite that covers a point (2,), or None."""
    x, y = point[:1].astype(np.float32), point[1:].astype(np.float32)
    for shape in reversed(_shapes(scene)):
        near = math.hypot(point[0] - shape.x, point[1] - shape.y) <= 2.0 * shape.radius
        if near and signed_distance(shape, x, y)[0] <= 0.0:
            return shape.label - 1
    return None


def move(sprites: NDArray[np.float64], motion: NDArray[np.float64]) -> None:
    """Moves sprites (n, 10) by (n, 2), in place; walls reflect places and turn velocities back."""
    low, high = MARGIN, 1.0 - MARGIN
    moved = sprites[:, :2] + motion
    reflected = np.where(
        moved < low, 2 * low - moved, np.where(moved > high, 2 * high - moved, moved)
    )
    outside = reflected != moved
    sprites[:, 2:4] = np.where(outside, -sprites[:, 2:4], sprites[:, 2:4])
    sprites[:, :2] = reflected.clip(low, high)


def _shapes(scene: Scene) -> list[Shape]:
    return [
        Shape(1 + i, x, y, angle, SHAPES[int(kind)], radius, (red, green, blue))
        for i, (x, y, _, _, angle, kind, red, green, blue, radius) in enumerate(
            sprites_of(scene).tolist()
        )
    ]
