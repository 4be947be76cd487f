"""PushT's physics in the form that an oracle simulator asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.options import known
from armillary.envs.push_t.drawing import AGENT, BLOCK, render_scene
from armillary.envs.push_t.physics import ARENA, HOLD, Scene, simulate

THINGS = 3
"""The background, the agent and the T, numbered like the labels of a rendered scene."""
HOLDS = {"held": HOLD, "per_step": 1}
"""Control steps for which an action keeps its target, by the kind of actions."""


class PushTOracle:
    """Simulates, reads and draws scene vectors of ``physics``; holds no state.

    Args:
        image_size: H = W of what ``draw`` returns, in pixels.
        action: kind of the actions, ``held`` or ``per_step``.

    Raises:
        ArmillaryError: there is no such kind.
    """

    action_size = 2

    def __init__(self, image_size: int, action: str = "held") -> None:
        self.image_size = image_size
        self.hold = hold_of(action)

    def simulate(self, scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) scene and (T, 2) actions -> the T next scenes (T, n)."""
        return simulate(scene, actions, self.hold)

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, 3, 4): x, y in [0, 1] of the image, cos and sin of every thing.

        The background rests in the middle.
        """
        poses = np.tile([0.5, 0.5, 1.0, 0.0], (len(scenes), THINGS, 1))
        poses[:, AGENT, :2] = scenes[:, 0:2] / ARENA
        poses[:, BLOCK, :2] = scenes[:, 2:4] / ARENA
        poses[:, BLOCK, 2] = np.cos(scenes[:, 4])
        poses[:, BLOCK, 3] = np.sin(scenes[:, 4])
        return poses

    def angles(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K): how far every thing is turned, in radians; 0 for what is round."""
        poses = self.poses(scenes)
        return np.arctan2(poses[..., 3], poses[..., 2])

    def roles(self, scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) -> which things are objects (3,) and which one is the effector (3,), 0 or 1."""
        things = np.arange(THINGS)
        return (things == BLOCK).astype(float), (things == AGENT).astype(float)

    def draw(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n,) -> frame (H, W, 3) and labels (H, W), which number the things."""
        return render_scene(scene, self.image_size)


def hold_of(action: str) -> int:
    """Control steps that an action of a kind lasts. Raises ArmillaryError if there is none such."""
    return HOLDS[known("kind of actions", action, HOLDS)]
