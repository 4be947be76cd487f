"""Rectangles of PushBlocks' arena: read, painted on the table, entered, stood in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from armillary.errors import ArmillaryError

Region = tuple[float, float, float, float]
"""x0, y0, x1, y1 in arena widths, x to the right and y downwards."""
Color = tuple[float, float, float]


@dataclass(frozen=True)
class Table:
    """What is on the table beside pusher and blocks, and never moves.

    Attributes:
        keep_clear: regions that nothing is to enter, painted.
        walls: that nothing can enter.
    """

    keep_clear: tuple[Region, ...] = ()
    walls: tuple[Region, ...] = ()

    @classmethod
    def read(cls, keep_clear: Sequence[Sequence[float]], walls: Sequence[Sequence[float]]) -> Table:
        """Raises ArmillaryError for what is no rectangle in the arena."""
        return cls(read_regions("keep_clear", keep_clear), read_regions("walls", walls))


EMPTY = Table()


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
    return float(gaps(regions, points).min())


def gaps(regions: Sequence[Region], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) points -> (...) how far each is from the nearest region; below 0 inside one."""
    x, y = points[..., 0], points[..., 1]
    found = []
    for left, top, right, bottom in regions:
        beside, above = np.maximum(left - x, x - right), np.maximum(top - y, y - bottom)
        outside = np.sqrt(beside.clip(0.0) ** 2 + above.clip(0.0) ** 2)
        found.append(outside + np.maximum(beside, above).clip(max=0.0))
    return np.minimum.reduce(found)


@lru_cache(maxsize=16)
def painted(
    fills: tuple[tuple[tuple[Region, ...], Color], ...], size: int, table: Color
) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1]: the table with coloured regions, edges smoothed; H = W = ``size``."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = table
    cells = np.arange(size)
    for regions, color in fills:
        for x0, y0, x1, y1 in regions:
            columns, rows = (
                (np.minimum(cells + 1, high * size) - np.maximum(cells, low * size)).clip(0.0, 1.0)
                for low, high in ((x0, x1), (y0, y1))
            )
            share = (rows[:, None] * columns)[..., None]
            image += share * (np.asarray(color, np.float32) - image)
    image.flags.writeable = False
    return image
