"""Rectangles of PushBlocks' arena: read, painted on the table, entered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from armillary.errors import ArmillaryError

Region = tuple[float, float, float, float]
"""x0, y0, x1, y1 in arena widths, x to the right and y downwards."""
Color = tuple[float, float, float]


def read_regions(name: str, given: Sequence[Sequence[float]]) -> tuple[Region, ...]:
    """Rectangles as they are used.

    Args:
        name: of the setting, for messages.
        given: (x0, y0, x1, y1) each, x0 < x1 and y0 < y1.

    Raises:
        ArmillaryError: one is no rectangle in the arena.
    """
    regions = []
    for number, region in enumerate(given):
        ends = np.asarray(region, dtype=float)
        if ends.shape != (4,) or not (
            (ends >= 0).all() and (ends <= 1).all() and (ends[:2] < ends[2:]).all()
        ):
            raise ArmillaryError(
                f"{name}[{number}] must be [x0, y0, x1, y1] in [0, 1] with x0 < x1 and y0 < y1, "
                f"got {list(region)}"
            )
        regions.append((float(ends[0]), float(ends[1]), float(ends[2]), float(ends[3])))
    return tuple(regions)


def away(regions: Sequence[Region], points: NDArray[np.float64]) -> float:
    """How far the nearest of points (n, 2) is from the nearest region; below 0 inside one."""
    ends = np.asarray(regions)
    outside = np.maximum(ends[:, None, :2] - points, points - ends[:, None, 2:])
    beyond = np.linalg.norm(outside.clip(min=0.0), axis=-1)
    return float((beyond + outside.max(-1).clip(max=0.0)).min())


@lru_cache(maxsize=16)
def painted(
    regions: tuple[Region, ...], size: int, table: Color, color: Color
) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1]: the table with the regions on it, H = W = ``size``, edges smoothed."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = table
    cells = np.arange(size)
    for x0, y0, x1, y1 in regions:
        columns, rows = (
            (np.minimum(cells + 1, high * size) - np.maximum(cells, low * size)).clip(0.0, 1.0)
            for low, high in ((x0, x1), (y0, y1))
        )
        share = (rows[:, None] * columns)[..., None]
        image += share * (np.asarray(color, np.float32) - image)
    image.flags.writeable = False
    return image
