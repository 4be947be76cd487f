"""The scene vectors of TowelPick: its version, the objects' looks, who looks, and physics.

(30 + 24 n,) float64 for up to n objects: the version of the world; the number of objects; the
camera's position, its target and its angle; shape (an index of ``SHAPES``), size, red, green and
blue of each object; then the state of the simulation: the time; positions of the gripper (x, y, z
between its fingertips, opening of the left and of the right finger) and of each object (x, y, z and
a quaternion); the velocities of all these, and the accelerations that the solver starts from; where
the gripper is driven to, in the same five numbers. What belongs to absent objects is zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.options import snapshot_of
from armillary.errors import ArmillaryError

VERSION = 1
"""Of the world: another one leads elsewhere from the same numbers."""
MOST_OBJECTS = 6
SHAPES = ("box", "cylinder", "capsule", "ellipsoid")

Scene = NDArray[np.float64]

HEADER, LOOKS, GRIPPER, POSE, STATE = 9, 5, 5, 7, 19
"""Numbers of a scene; of an object's looks; of the gripper's positions; of an object's pose, and of
its share of the state."""


def scene_size(objects: int) -> int:
    """Length of a scene vector for up to so many objects."""
    return HEADER + 1 + 4 * GRIPPER + (LOOKS + STATE) * objects


def room_for(scene: Scene) -> int:
    """How many objects a scene vector (..., n) has room for."""
    return (scene.shape[-1] - scene_size(0)) // (LOOKS + STATE)


def count_of(scene: Scene) -> int:
    """How many objects there are."""
    return int(scene[1])


def looks_of(scene: Scene) -> NDArray[np.float64]:
    """(c, 5) view: shape, size, red, green and blue of the objects that there are."""
    return scene[HEADER : HEADER + LOOKS * count_of(scene)].reshape(-1, LOOKS)


def state_of(scene: Scene) -> NDArray[np.float64]:
    """(21 + 19 c,) view: the state of the simulation."""
    first = HEADER + LOOKS * room_for(scene)
    return scene[first : first + 1 + 4 * GRIPPER + STATE * count_of(scene)]


def gripper_of(scene: Scene) -> NDArray[np.float64]:
    """(5,) view: x, y, z between the fingertips, and the openings of both fingers."""
    return state_of(scene)[1 : 1 + GRIPPER]


def driven_of(scene: Scene) -> NDArray[np.float64]:
    """(5,) view: where the gripper is driven to."""
    return state_of(scene)[-GRIPPER:]


def poses_of(scene: Scene) -> NDArray[np.float64]:
    """(c, 7) view: x, y, z and quaternion (w, x, y, z) of the objects that there are."""
    first = 1 + GRIPPER
    return state_of(scene)[first : first + POSE * count_of(scene)].reshape(-1, POSE)


def positions_of(scene: Scene) -> NDArray[np.float64]:
    """(c, 3) view: the objects' middles."""
    return poses_of(scene)[:, :3]


def camera_of(scene: Scene) -> Camera:
    """Who looks."""
    x, y, z, to_x, to_y, to_z, fovy = scene[2:HEADER].tolist()
    return Camera((x, y, z), (to_x, to_y, to_z), fovy)


def make_scene(
    room: int,
    camera: Camera,
    looks: NDArray[np.float64],
    poses: NDArray[np.float64],
    gripper: NDArray[np.float64],
) -> Scene:
    """A scene in which all is at rest.

    Args:
        room: for so many objects.
        camera: who looks.
        looks: (c, 5), see ``looks_of``.
        poses: (c, 7), see ``poses_of``.
        gripper: (5,), see ``gripper_of``.
    """
    scene = np.zeros(scene_size(room))
    scene[:2] = VERSION, len(looks)
    scene[2:HEADER] = (*camera.position, *camera.target, camera.fovy)
    looks_of(scene)[:] = looks
    poses_of(scene)[:] = poses
    return with_gripper(scene, gripper)


def with_gripper(scene: Scene, gripper: NDArray[np.float64]) -> Scene:
    """The scene with the gripper (5,) at rest at another place."""
    scene = scene.copy()
    state, moving = state_of(scene), GRIPPER + 6 * count_of(scene)
    first = 1 + GRIPPER + POSE * count_of(scene)
    gripper_of(scene)[:] = driven_of(scene)[:] = gripper
    for start in (first, first + moving):
        state[start : start + GRIPPER] = 0.0
    return scene


def checked(scene: Scene, room: int) -> Scene:
    """A copy of a snapshot with room for ``room`` objects. Raises ArmillaryError for any other."""
    scene = snapshot_of(scene, scene_size(room), f"a snapshot with room for {room} objects")
    if scene[0] != VERSION:
        raise ArmillaryError(
            f"a snapshot of version {scene[0]:g} of TowelPick does not go with version {VERSION}, "
            "in which the same actions lead elsewhere: record it again with this one"
        )
    if scene[1] not in range(1, room + 1):
        raise ArmillaryError(f"a snapshot has 1 to {room} objects, got {scene[1]:g}")
    if not np.isin(looks_of(scene)[:, 0], range(len(SHAPES))).all():
        raise ArmillaryError(
            f"shapes in a snapshot are 0 to {len(SHAPES) - 1}, got {looks_of(scene)[:, 0]}"
        )
    return scene
