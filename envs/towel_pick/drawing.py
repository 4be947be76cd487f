"""Draws the scenes of TowelPick, and their segmentation."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.mujoco.rays import RayRenderer
from armillary.envs.mujoco.simulation import FORGET, Simulation
from armillary.envs.towel_pick.physics import simulation_of
from armillary.envs.towel_pick.scene import Scene, camera_of, count_of, looks_of

GRIPPER = 1
"""Its label; the bin and all around it are 0, object i is 2 + i."""


def render_scene(
    scene: Scene, size: int, supersampling: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws a scene.

    Args:
        scene: a scene vector, see ``scene``.
        size: H = W, in pixels.
        supersampling: rays along each side of a pixel.

    Returns:
        The frame (H, W, 3) and its labels (H, W): 0 for the bin, 1 for the gripper, 2 + i for
        object i.
    """
    simulation, count = simulation_of(scene), count_of(scene)
    renderer = _renderer(threading.get_ident(), simulation, camera_of(scene), size, supersampling)
    model = simulation.model
    colors = model.geom_rgba[:, :3].astype(np.float64)
    colors[-count:] = looks_of(scene)[:, 2:]
    labels = np.zeros(model.ngeom + 1, np.uint8)  # the last is that of rays that meet nothing
    labels[:-1][model.body_weldid[model.geom_bodyid] != 0] = GRIPPER
    labels[-1 - count : -1] = GRIPPER + 1 + np.arange(count)
    frame, geoms = renderer(simulation, colors)
    return frame, labels[geoms]


@lru_cache(maxsize=FORGET)
def _renderer(
    thread: int, simulation: Simulation, camera: Camera, size: int, supersampling: int
) -> RayRenderer:
    return RayRenderer(simulation, camera, size, supersampling)
