"""Draws the scenes of PushT, and their segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.drawing import Shape, draw_shapes
from armillary.envs.push_t.physics import ARENA, Scene

BACKGROUND, AGENT, BLOCK = 0, 1, 2
"""Labels."""


def render_scene(scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws a scene.

    Args:
        scene: a scene vector of ``armillary.envs.push_t.physics``.
        size: H = W, in pixels.

    Returns:
        The frame (H, W, 3) and its labels (H, W): 0 background and goal region, 1 agent, 2 the T.
    """
    shapes = [block_of(scene), agent_of(scene)]
    if scene[24]:
        shapes.insert(0, _tee(scene, scene[25:28], BACKGROUND, scene[21:24]))
    red, green, blue = scene[18:21].tolist()
    return draw_shapes(shapes, (red, green, blue), size)


def block_of(scene: Scene) -> Shape:
    """The T as it is drawn, in arena widths."""
    return _tee(scene, scene[2:5], BLOCK, scene[15:18])


def agent_of(scene: Scene) -> Shape:
    """The agent as it is drawn, in arena widths."""
    x, y, radius = (float(scene[i]) / ARENA for i in (0, 1, 10))
    red, green, blue = scene[12:15].tolist()
    return Shape(AGENT, x, y, 0.0, "disc", radius, (red, green, blue))


def _tee(scene: Scene, pose: NDArray[np.float64], label: int, color: NDArray[np.float64]) -> Shape:
    x, y, angle = pose.tolist()
    red, green, blue = color.tolist()
    width = float(scene[11]) / ARENA
    return Shape(label, x / ARENA, y / ARENA, angle, "tee", width, (red, green, blue))
