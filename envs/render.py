"""Draws scenes of flat shapes with anti-aliased edges, and their segmentation, in numpy."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.physics import PUSHER_RADIUS, SHAPES, Scene, blocks_of, polygon

BACKGROUND = (0.93, 0.93, 0.90)
PUSHER_COLOR = (0.13, 0.13, 0.15)


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return np.meshgrid(centres, centres)  # type: ignore[return-value]


@lru_cache(maxsize=256)
def _edges(shape: str, size: float) -> tuple[list[tuple[float, float]], float]:
    """Outward edge normals of a regular polygon and the distance of its edges from the centre."""
    vertices = np.array(polygon(shape, size))
    middles = (vertices + np.roll(vertices, -1, axis=0)) / 2
    distances = np.linalg.norm(middles, axis=1)
    return [tuple(n) for n in (middles / distances[:, None]).tolist()], float(distances[0])


def _coverage(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    shape: str,
    radius: float,
    angle: float,
    size: int,
) -> NDArray[np.float32]:
    """Share of each pixel that a shape covers, from its signed distance; x, y relative to it."""
    if shape == "disc":
        distance = np.sqrt(x * x + y * y) - np.float32(radius)
    else:
        normals, apothem = _edges(shape, radius)
        cosine, sine = math.cos(angle), math.sin(angle)
        turned = [(cosine * u - sine * v, sine * u + cosine * v) for u, v in normals]
        sides = [np.float32(u) * x + np.float32(v) * y for u, v in turned]
        distance = np.maximum.reduce(sides) - np.float32(apothem)
    return np.clip(0.5 - distance * size, 0.0, 1.0)


def _span(centre: float, reach: float, size: int) -> slice:
    """The rows (or columns) within ``reach`` of ``centre``."""
    first = math.floor((centre - reach) * size)
    last = math.ceil((centre + reach) * size)
    return slice(max(first, 0), max(last, 0))


def render_scene(scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws a scene.

    Args:
        scene: a scene vector of ``envs.physics``.
        size: H = W, in pixels.

    Returns:
        The frame (H, W, 3) and its labels (H, W): 0 background, 1 pusher, 2 + i block i.
    """
    x, y = _grid(size)
    frame = np.empty((size, size, 3), np.float32)
    frame[:] = BACKGROUND
    labels = np.zeros((size, size), np.uint8)
    drawables = [
        (2 + i, bx, by, angle, SHAPES[int(kind)], radius, (red, green, blue))
        for i, (bx, by, angle, kind, radius, red, green, blue) in enumerate(
            blocks_of(scene).tolist()
        )
    ]
    pusher_x, pusher_y = scene[1:3].tolist()
    drawables.append((1, pusher_x, pusher_y, 0.0, "disc", PUSHER_RADIUS, PUSHER_COLOR))
    for label, cx, cy, angle, shape, radius, color in drawables:
        reach = 2.0 * radius + 1.0 / size
        rows = _span(cy, reach, size)
        columns = _span(cx, reach, size)
        window = (rows, columns)
        dx, dy = x[window] - np.float32(cx), y[window] - np.float32(cy)
        alpha = _coverage(dx, dy, shape, radius, angle, size)
        frame[window] += alpha[..., None] * (np.asarray(color, np.float32) - frame[window])
        labels[window][alpha >= 0.5] = label
    return (frame * 255.0 + 0.5).astype(np.uint8), labels
