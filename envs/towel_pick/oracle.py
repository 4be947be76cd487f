"""TowelPick's physics in the form that an oracle simulator asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.towel_pick.drawing import GRIPPER, render_scene
from armillary.envs.towel_pick.physics import STEP_LENGTH, simulate
from armillary.envs.towel_pick.scene import (
    Scene,
    camera_of,
    count_of,
    gripper_of,
    positions_of,
    room_for,
)


class TowelOracle:
    """Simulates, reads and draws scene vectors of ``scene``; holds no state.

    Args:
        image_size: H = W of what ``draw`` returns, in pixels.
        action_noise: standard deviation of the noise on actions.
        supersampling: rays along each side of a pixel of what ``draw`` returns.
    """

    action_size = 4

    def __init__(self, image_size: int, action_noise: float = 0.0, supersampling: int = 1) -> None:
        self.image_size = image_size
        self.action_noise = action_noise
        self.supersampling = supersampling

    def simulate(self, scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) scene and (T, 4) actions -> the T next scenes (T, n), without action noise."""
        return simulate(scene, actions)

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K, 5): x and y in the image, then x, y and z in metres.

        The gripper is where its fingertips are. The bin and absent objects are in the middle of the
        image, and at zero in the scene.
        """
        things = GRIPPER + 1 + room_for(scenes)
        poses = np.tile([0.5, 0.5, 0.0, 0.0, 0.0], (len(scenes), things, 1))
        for scene, row in zip(scenes, poses, strict=True):
            places = np.vstack([gripper_of(scene)[:3], positions_of(scene)])
            there = slice(GRIPPER, GRIPPER + len(places))
            row[there, :2], row[there, 2:] = camera_of(scene).project(places), places
        return poses

    def handles(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K, 3): where things are in the scene, in units of actions."""
        return self.poses(scenes)[..., 2:] / STEP_LENGTH

    def roles(self, scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) -> which things are objects (K,), and which one is the gripper (K,), 0 or 1."""
        things = np.arange(GRIPPER + 1 + room_for(scene))
        objects = (things > GRIPPER) & (things <= GRIPPER + count_of(scene))
        return objects.astype(float), (things == GRIPPER).astype(float)

    def draw(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n,) -> frame (H, W, 3) and labels (H, W), which number the things."""
        return render_scene(scene, self.image_size, self.supersampling)
