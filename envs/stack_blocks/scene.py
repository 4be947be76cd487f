"""The scene vectors of StackBlocks: how many blocks, what they look like, who looks, and physics.

(7 + 1 + 23 n,) float64 for up to n blocks: the number of blocks; the camera's position, its target
and its angle; half side, red, green and blue of each block; then the state of the simulation, which
begins with the time and with position (x, y, z) and orientation (a quaternion) of each block. What
belongs to absent blocks is zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.options import snapshot_of
from armillary.errors import ArmillaryError

MOST_BLOCKS = 9

Scene = NDArray[np.float64]

HEADER, LOOKS, POSE, STATE = 8, 4, 7, 19
"""Numbers of a scene; then of each block: its looks, its pose, and its share of the state."""


def scene_size(blocks: int) -> int:
    """Length of a scene vector for up to so many blocks."""
    return HEADER + 1 + (LOOKS + STATE) * blocks


def room_for(scene: Scene) -> int:
    """How many blocks a scene vector (..., n) has room for."""
    return (scene.shape[-1] - HEADER - 1) // (LOOKS + STATE)


def count_of(scene: Scene) -> int:
    """How many blocks there are."""
    return int(scene[0])


def looks_of(scene: Scene) -> NDArray[np.float64]:
    """(c, 4) view: half side, red, green and blue of the blocks that there are."""
    return scene[HEADER : HEADER + LOOKS * count_of(scene)].reshape(-1, LOOKS)


def poses_of(scene: Scene) -> NDArray[np.float64]:
    """(c, 7) view: x, y, z and quaternion (w, x, y, z) of the blocks that there are."""
    first = HEADER + LOOKS * room_for(scene) + 1
    return scene[first : first + POSE * count_of(scene)].reshape(-1, POSE)


def positions_of(scene: Scene) -> NDArray[np.float64]:
    """(c, 3) view: the blocks' middles."""
    return poses_of(scene)[:, :3]


def state_of(scene: Scene) -> NDArray[np.float64]:
    """(1 + 19 c,) view: the state of the simulation."""
    first = HEADER + LOOKS * room_for(scene)
    return scene[first : first + 1 + STATE * count_of(scene)]


def camera_of(scene: Scene) -> Camera:
    """Who looks."""
    x, y, z, to_x, to_y, to_z, fovy = scene[1:HEADER].tolist()
    return Camera((x, y, z), (to_x, to_y, to_z), fovy)


def make_scene(
    room: int, camera: Camera, looks: NDArray[np.float64], poses: NDArray[np.float64]
) -> Scene:
    """A scene of blocks at rest.

    Args:
        room: for so many blocks.
        camera: who looks.
        looks: (c, 4), see ``looks_of``.
        poses: (c, 7), see ``poses_of``.
    """
    scene = np.zeros(scene_size(room))
    scene[0] = len(looks)
    scene[1:HEADER] = (*camera.position, *camera.target, camera.fovy)
    looks_of(scene)[:] = looks
    poses_of(scene)[:] = poses
    return scene


def checked(scene: Scene, room: int) -> Scene:
    """A copy of a snapshot with room for ``room`` blocks. Raises ArmillaryError for any other."""
    scene = snapshot_of(scene, scene_size(room), f"a snapshot with room for {room} blocks")
    if scene[0] not in range(1, room + 1):
        raise ArmillaryError(f"a snapshot starts with 1 to {room} blocks, got {scene[0]}")
    return scene
