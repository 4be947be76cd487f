"""A pinhole camera: the rays of its pixels, and where points of the scene are in its image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
_ROUNDING = 1e-6
"""Of places in the image, in pixels: more than what arithmetic may be off."""


@dataclass(frozen=True)
class Camera:
    """Sees a square image; the scene's z points up.

    Attributes:
        position: in the scene.
        target: the point in the middle of the image.
        fovy: angle between the rays to the upper and the lower edge, in degrees.
    """

    position: Point
    target: Point
    fovy: float

    @cached_property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3): the image's right, its up, and the way that the camera looks, of length 1."""
        ahead = np.subtract(self.target, self.position)
        ahead /= np.linalg.norm(ahead)
        right = np.array([ahead[1], -ahead[0], 0.0])
        length = np.linalg.norm(right)
        right = right / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])
        return np.stack([right, np.cross(right, ahead), ahead])

    @cached_property
    def spread(self) -> float:
        """Half the image's height at a distance of 1."""
        return math.tan(math.radians(self.fovy) / 2)

    def rays(self, size: int, each: int) -> NDArray[np.float64]:
        """(size, size, each * each, 3) of length 1: ``each`` by ``each`` rays through a pixel."""
        return _grid(size, each, self.spread) @ self.axes / _lengths(size, each, self.spread)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) -> (..., 2): x to the right and y downwards, in [0, 1] inside the image.

        What is behind the camera is taken for as far away as it is.
        """
        seen = (points - np.asarray(self.position)) @ self.axes.T
        depth = np.maximum(np.abs(seen[..., 2:]), 1e-9) * self.spread
        return 0.5 + 0.5 * seen[..., :2] / depth * (1.0, -1.0)

    def windows(self, points: NDArray[np.float64], size: int) -> list[tuple[slice, slice]]:
        """Rows and columns of the pixels that convex bodies may be seen in.

        Args:
            points: (N, P, 3), of which each of N bodies lies between; where some of them are not in
                front of the camera it may be seen anywhere.
            size: H = W of the image, in pixels.
        """
        seen = (points - self._origin) @ self._scaled
        depth = seen[..., 2:]
        places = seen[..., :2] / np.maximum(depth, 1e-9) * size
        first = np.floor(np.maximum(places.min(1) + (0.5 * size - _ROUNDING), 0.0))
        last = np.ceil(np.maximum(places.max(1) + (0.5 * size + _ROUNDING), 0.0))
        behind = (depth < 1e-9).any((1, 2))
        first[behind], last[behind] = 0.0, size
        ends = np.concatenate([first, last], 1).astype(np.int64).tolist()
        return [(slice(top, bottom), slice(left, right)) for left, top, right, bottom in ends]

    @cached_property
    def _origin(self) -> NDArray[np.float64]:
        return np.asarray(self.position, np.float64)

    @cached_property
    def _scaled(self) -> NDArray[np.float64]:
        """(3, 3): a step in the scene -> to the right and down in image widths at 1, and depth."""
        return self.axes.T * (0.5 / self.spread, -0.5 / self.spread, 1.0)


def _span(low: float, high: float, size: int) -> slice:
    first, last = (min(max(end, 0.0), size) for end in (low - _ROUNDING, high + _ROUNDING))
    return slice(math.floor(first), math.ceil(last))


@lru_cache(maxsize=8)
def _grid(size: int, each: int, spread: float) -> NDArray[np.float64]:
    """(size, size, each * each, 3) of the camera's axes: right, up, ahead."""
    line = ((np.arange(size * each) + 0.5) / (size * each) * 2.0 - 1.0) * spread
    across, down = np.meshgrid(line, line)
    flat = np.stack([across, -down, np.ones_like(across)], -1)
    tiles = flat.reshape(size, each, size, each, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(size, size, each * each, 3)


@lru_cache(maxsize=8)
def _lengths(size: int, each: int, spread: float) -> NDArray[np.float64]:
    return np.linalg.norm(_grid(size, each, spread), axis=-1, keepdims=True)
