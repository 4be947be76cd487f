"""Draws the scenes of PushBlocks, and their segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.drawing import Shape, draw_shapes
from armillary.envs.push_blocks.physics import PUSHER_RADIUS, Scene, blocks_of
from armillary.envs.push_blocks.regions import EMPTY, Table, painted
from armillary.envs.shapes import SHAPES

BACKGROUND = (0.93, 0.93, 0.90)
PUSHER_COLOR = (0.13, 0.13, 0.15)
KEEP_CLEAR = (0.97, 0.78, 0.74)
WALL = (0.52, 0.50, 0.47)


def render_scene(
    scene: Scene, size: int, table: Table = EMPTY
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws a scene.

    Args:
        scene: a scene vector of ``armillary.envs.push_blocks.physics``.
        size: H = W, in pixels.
        table: what else is there.

    Returns:
        The frame (H, W, 3) and its labels (H, W): 0 background, 1 pusher, 2 + i block i.
    """
    shapes = [
        Shape(2 + i, x, y, angle, SHAPES[int(kind)], radius, (red, green, blue))
        for i, (x, y, angle, kind, radius, red, green, blue) in enumerate(blocks_of(scene).tolist())
    ]
    x, y = scene[1:3].tolist()
    shapes.append(Shape(1, x, y, 0.0, "disc", PUSHER_RADIUS, PUSHER_COLOR))
    fills = ((table.keep_clear, KEEP_CLEAR), (table.walls, WALL))
    return draw_shapes(shapes, painted(fills, size, BACKGROUND), size)
