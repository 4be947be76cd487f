"""Draws the scenes of StackBlocks, and their segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.rays import renderer_of
from armillary.envs.stack_blocks.physics import simulation_of
from armillary.envs.stack_blocks.scene import Scene, camera_of, looks_of


def render_scene(
    scene: Scene, size: int, supersampling: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws a scene.

    Args:
        scene: a scene vector, see ``scene``.
        size: H = W, in pixels.
        supersampling: rays along each side of a pixel.

    Returns:
        The frame (H, W, 3) and its labels (H, W): 0 for the table, 1 + i for block i.
    """
    simulation = simulation_of(scene)
    renderer = renderer_of(simulation, camera_of(scene), size, supersampling)
    table = np.zeros((1, 3))  # the first geom, which does not move
    frame, geoms = renderer(simulation, np.concatenate([table, looks_of(scene)[:, 1:]]))
    return frame, np.maximum(geoms, 0).astype(np.uint8)
