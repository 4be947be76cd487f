"""PushBlocks' physics in the form that an oracle simulator asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armillary.envs.push_blocks.drawing import render_scene
from armillary.envs.push_blocks.physics import MAX_BLOCKS, Scene, blocks_of, simulate
from armillary.envs.push_blocks.regions import Table

THINGS = 2 + MAX_BLOCKS
"""The background, the pusher and the blocks, numbered like the labels of a rendered scene."""


class PushOracle:
    """Simulates, reads and draws scene vectors of ``physics``; holds no state.

    Args:
        image_size: H = W of what ``draw`` returns, in pixels.
        action_noise: standard deviation of the noise that the task adds to every action.
        keep_clear: the task's regions, which are drawn.
        walls: inside the arena.
    """

    action_size = 2

    def __init__(
        self,
        image_size: int,
        action_noise: float = 0.0,
        keep_clear: Sequence[Sequence[float]] = (),
        walls: Sequence[Sequence[float]] = (),
    ) -> None:
        self.image_size = image_size
        self.action_noise = action_noise
        self.table = Table.read(keep_clear, walls)

    def simulate(self, scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) scene and (T, 2) actions -> the T next scenes (T, n), without action noise."""
        return simulate(scene, actions, self.table.walls)

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, 6, 4): x, y, cos and sin of every thing.

        The background and absent blocks rest in the middle.
        """
        poses = np.tile([0.5, 0.5, 1.0, 0.0], (len(scenes), THINGS, 1))
        poses[:, 1, :2] = scenes[:, 1:3]
        blocks = scenes[:, 3:].reshape(len(scenes), MAX_BLOCKS, -1)
        present = np.arange(MAX_BLOCKS) < scenes[:, :1]
        read = np.stack(
            [blocks[..., 0], blocks[..., 1], np.cos(blocks[..., 2]), np.sin(blocks[..., 2])], -1
        )
        poses[:, 2:][present] = read[present]
        return poses

    def angles(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K): how far every thing is turned, in radians; 0 for what is round."""
        poses = self.poses(scenes)
        return np.arctan2(poses[..., 3], poses[..., 2])

    def roles(self, scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) -> which things are objects (6,) and which one is the effector (6,), 0 or 1."""
        things = np.arange(THINGS)
        objects = (things >= 2) & (things < 2 + len(blocks_of(scene)))
        return objects.astype(float), (things == 1).astype(float)

    def draw(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n,) -> frame (H, W, 3) and labels (H, W), which number the things."""
        return render_scene(scene, self.image_size, self.table)
