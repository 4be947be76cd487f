"""Draws flat coloured shapes with anti-aliased edges, and their segmentation, in numpy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from armillary.envs.shapes import polygon


class Shape(NamedTuple):
    """A shape in the unit square, x to the right and y downwards.

    Attributes:
        label: its number in the segmentation.
        x: of its centre.
        y: of its centre.
        angle: in radians.
        kind: one of ``armillary.envs.shapes.SHAPES``, or ``tee``, a T whose place is the middle of
            the upper edge of its bar.
        radius: of the disc of equal area; of a T the width of its bar and stem, a quarter of its
            height.
        color: red, green and blue in [0, 1].
    """

    label: int
    x: float
    y: float
    angle: float
    kind: str
    radius: float
    color: tuple[float, float, float]


_REACH = {"tee": math.hypot(0.5, 4.0)}
"""To the furthest corner of a kind, in radii; of the others it is less than 2."""


def draw_shapes(
    shapes: Iterable[Shape],
    background: tuple[float, float, float] | NDArray[np.float32],
    size: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws shapes on a plain background, later ones over earlier ones.

    Args:
        shapes: what to draw.
        background: red, green and blue in [0, 1], or an image (H, W, 3) of them.
        size: H = W, in pixels.

    Returns:
        The frame (H, W, 3) and its labels (H, W), 0 for the background.
    """
    x, y = _grid(size)
    frame = np.empty((size, size, 3), np.float32)
    frame[:] = background
    labels = np.zeros((size, size), np.uint8)
    for shape in shapes:
        reach = _REACH.get(shape.kind, 2.0) * shape.radius + 1.0 / size
        window = (_span(shape.y, reach, size), _span(shape.x, reach, size))
        distance = signed_distance(shape, x[window], y[window])
        alpha = np.clip(0.5 - distance * size, 0.0, 1.0)
        frame[window] += alpha[..., None] * (np.asarray(shape.color, np.float32) - frame[window])
        labels[window][alpha >= 0.5] = shape.label
    return (frame * 255.0 + 0.5).astype(np.uint8), labels


def signed_distance(
    shape: Shape, x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far points lie outside a shape's edges, negative inside; near corners a lower bound."""
    dx, dy = x - np.float32(shape.x), y - np.float32(shape.y)
    if shape.kind == "disc":
        return np.sqrt(dx * dx + dy * dy) - np.float32(shape.radius)
    cosine, sine = math.cos(shape.angle), math.sin(shape.angle)
    if shape.kind == "tee":
        across, along = (
            np.float32(cosine) * dx + np.float32(sine) * dy,
            np.float32(cosine) * dy - np.float32(sine) * dx,
        )
        width = np.float32(shape.radius)
        bar = np.maximum(np.abs(across) - 2 * width, np.abs(along - width / 2) - width / 2)
        stem = np.maximum(np.abs(across) - width / 2, np.abs(along - 2 * width) - 2 * width)
        return np.minimum(bar, stem)
    normals, apothem = _edges(shape.kind, shape.radius)
    turned = [(cosine * u - sine * v, sine * u + cosine * v) for u, v in normals]
    sides = [np.float32(u) * dx + np.float32(v) * dy for u, v in turned]
    return np.maximum.reduce(sides) - np.float32(apothem)


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    x, y = np.meshgrid(centres, centres)
    return x, y


@lru_cache(maxsize=256)
def _edges(kind: str, radius: float) -> tuple[list[tuple[float, float]], float]:
    """Outward edge normals of a regular polygon and the distance of its edges from the centre."""
    vertices = np.array(polygon(kind, radius))
    middles = (vertices + np.roll(vertices, -1, axis=0)) / 2
    distances = np.linalg.norm(middles, axis=1)
    return [tuple(n) for n in (middles / distances[:, None]).tolist()], float(distances[0])


def _span(centre: float, reach: float, size: int) -> slice:
    """The rows (or columns) within ``reach`` of ``centre``."""
    first = math.floor((centre - reach) * size)
    last = math.ceil((centre + reach) * size)
    return slice(max(first, 0), max(last, 0))
