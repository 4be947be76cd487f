"""Scenes of blocks where a test wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.variation import PALETTE
from armillary.envs.stack_blocks.factors import CAMERAS
from armillary.envs.stack_blocks.physics import settled
from armillary.envs.stack_blocks.scene import Scene, make_scene

COLORS = list(PALETTE.values())


def blocks_at(*places: Sequence[float], room: int = 3, half: float = 0.4) -> Scene:
    """Blocks at rest at (x, y) on the table, or at (x, y, z)."""
    poses = np.zeros((len(places), 7))
    poses[:, 2:4] = half, 1.0
    for pose, place in zip(poses, places, strict=True):
        pose[: len(place)] = place
    looks = np.column_stack([np.full(len(places), half), COLORS[: len(places)]])
    return settled(make_scene(room, CAMERAS["near"], looks, poses))


def act(*numbers: float) -> NDArray[np.float64]:
    return np.array(numbers, np.float64)
