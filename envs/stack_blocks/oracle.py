"""StackBlocks' physics in the form that an oracle simulator asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.stack_blocks.drawing import render_scene
from armillary.envs.stack_blocks.physics import simulate
from armillary.envs.stack_blocks.scene import (
    Scene,
    camera_of,
    count_of,
    positions_of,
    room_for,
)


class StackOracle:
    """Simulates, reads and draws scene vectors of ``scene``; holds no state.

    Args:
        image_size: H = W of what ``draw`` returns, in pixels.
        heights: whether actions name heights.
        supersampling: rays along each side of a pixel of what ``draw`` returns.
    """

    def __init__(self, image_size: int, heights: bool = False, supersampling: int = 2) -> None:
        self.image_size = image_size
        self.action_size = 6 if heights else 4
        self.supersampling = supersampling

    def simulate(self, scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) scene and (T, A) actions -> the T next scenes (T, n)."""
        return simulate(scene, actions)

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K, 5): x and y in the image, then x, y and z in the scene's units.

        The table and absent blocks are in the middle of the image, and at zero in the scene.
        """
        poses = np.tile([0.5, 0.5, 0.0, 0.0, 0.0], (len(scenes), 1 + room_for(scenes), 1))
        for scene, row in zip(scenes, poses, strict=True):
            positions = positions_of(scene)
            there = slice(1, 1 + len(positions))
            row[there, :2], row[there, 2:] = camera_of(scene).project(positions), positions
        return poses

    def handles(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K, 2), or (N, K, 3) with heights: where things are picked up."""
        return self.poses(scenes)[..., 2 : 2 + self.action_size // 2]

    def roles(self, scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) -> which things are objects (K,), and zeros (K,): nothing moves them but actions."""
        things = np.arange(1 + room_for(scene))
        objects = (things >= 1) & (things <= count_of(scene))
        return objects.astype(float), np.zeros(len(things))

    def draw(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n,) -> frame (H, W, 3) and labels (H, W), which number the things."""
        return render_scene(scene, self.image_size, self.supersampling)
