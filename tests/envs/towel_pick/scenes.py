"""Scenes of the gripper over objects where a test wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.variation import PALETTE
from armillary.envs.towel_pick.factors import CAMERAS
from armillary.envs.towel_pick.physics import SIZE, height_of, simulate
from armillary.envs.towel_pick.scene import SHAPES, Scene, make_scene

COLORS = list(PALETTE.values())
UP = (0.0, 0.0, 0.18)
CLOSED, OPEN = (0.0, 0.0), (0.05, 0.05)
APART = ((-0.12, -0.08), (0.1, -0.1), (-0.1, 0.1), (0.12, 0.1))


def objects_at(
    *places: Sequence[float],
    gripper: Sequence[float] = UP,
    fingers: Sequence[float] = CLOSED,
    shapes: Sequence[str] = SHAPES,
    room: int = 4,
) -> Scene:
    """Objects at rest at (x, y) on the floor, or at (x, y, z)."""
    count = len(places)
    looks = np.zeros((count, 5))
    looks[:, 0] = [SHAPES.index(shape) for shape in shapes[:count]]
    looks[:, 1], looks[:, 2:] = SIZE, COLORS[:count]
    poses = np.zeros((count, 7))
    poses[:, 2] = [height_of(shape, SIZE) for shape in shapes[:count]]
    poses[:, 3] = 1.0
    for pose, place in zip(poses, places, strict=True):
        pose[: len(place)] = place
    scene = make_scene(room, CAMERAS["front"], looks, poses, np.array([*gripper, *fingers]))
    return played(scene, act(0.0, 0.0, 0.0, 0.0))


def act(*numbers: float) -> NDArray[np.float64]:
    return np.array(numbers, np.float64)


def played(scene: Scene, *actions: NDArray[np.float64]) -> Scene:
    """The scene after some actions."""
    return simulate(scene, np.stack(actions))[-1]
