"""SpriteGoals' physics in the form that an oracle simulator asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import HEADER, SPRITE, Scene, render_sprites
from armillary.envs.sprite_goals.physics import simulate


class SpriteOracle:
    """Simulates, reads and draws scene vectors of ``moving_sprites.scene``; holds no state.

    It does not foresee what chance adds.

    Args:
        image_size: H = W of what ``draw`` returns, in pixels.
    """

    action_size = 4

    def __init__(self, image_size: int) -> None:
        self.image_size = image_size

    def simulate(self, scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) scene and (T, 4) actions -> the T next scenes (T, n)."""
        return simulate(scene, actions)

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K, 2): x and y of every thing.

        The background and absent sprites rest in the middle.
        """
        rows = scenes[:, HEADER:].reshape(len(scenes), -1, SPRITE)
        poses = np.full((len(scenes), 1 + rows.shape[1], 2), 0.5)
        present = np.arange(rows.shape[1]) < scenes[:, :1]
        poses[:, 1:][present] = rows[present][:, :2]
        return poses

    def roles(self, scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) -> which things are objects (K,), and zeros (K,): actions alone move them."""
        things = np.arange(1 + (len(scene) - HEADER) // SPRITE)
        objects = (things >= 1) & (things <= scene[0])
        return objects.astype(float), np.zeros(len(things))

    def draw(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n,) -> frame (H, W, 3) and labels (H, W), which number the things."""
        return render_sprites(scene, self.image_size)
