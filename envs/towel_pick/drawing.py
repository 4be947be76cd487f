"""Draws the scenes of TowelPick, and their segmentation."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.rays import Light, renderer_of
from armillary.envs.mujoco.simulation import FORGET, Simulation
from armillary.envs.towel_pick.physics import simulation_of
from armillary.envs.towel_pick.scene import Scene, camera_of, count_of, looks_of

_FREE = 6
"""Degrees of freedom of an object."""
GRIPPER = 1
"""Its label; the bin and all around it are 0, object i is 2 + i."""


LIGHT = Light(towards=(-0.1, -0.3, 1.0), ambient=0.55, diffuse=0.5, shadow=0.7)
"""A lamp above the bin."""


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
    renderer = renderer_of(simulation, camera_of(scene), size, supersampling, LIGHT)
    colors, labels = _looks(simulation)
    colors[-count:] = looks_of(scene)[:, 2:]
    frame, geoms = renderer(simulation, colors)
    return frame, labels[geoms]


@lru_cache(maxsize=FORGET)
def _looks(simulation: Simulation) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """(G, 3) the geoms' colours, of which the objects' come last, and (G + 1,) their labels.

    The last label is that of rays that meet nothing.
    """
    model = simulation.model
    moves, objects = model.body_weldid[model.geom_bodyid] != 0, model.body_dofnum == _FREE
    labels = np.append(moves, False).astype(np.uint8)
    labels[:-1] += np.cumsum(objects)[model.geom_bodyid].astype(np.uint8)
    return model.geom_rgba[:, :3].astype(np.float64), labels
