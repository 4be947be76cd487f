"""What a task offers to be its own simulator. Workers that compute it need no torch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Physics(Protocol):
    """What a task must offer to be its own simulator; picklable, for worker processes.

    What adds Gaussian noise to every action says its standard deviation in ``action_noise``, which
    need not be there. Where actions are picks and places it may have ``handles``, too: scenes
    (N, n) -> (N, K, P), where each thing can be picked up, for ``ObjectCEM``. Where things turn it
    may have ``angles``: scenes (N, n) -> (N, K) in radians.

    Attributes:
        action_size: A.
    """

    action_size: int

    def simulate(self, scene: NDArray[np.float64], actions: NDArray) -> NDArray[np.float64]:
        """(n,) scene and (T, A) actions -> the T next scenes (T, n), without action noise."""
        ...

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, n) -> (N, K, D): a vector per thing, x and y in [0, 1] of the image first."""
        ...

    def roles(self, scene: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """(n,) -> objects (K,) and effector (K,), as in ``Goal``."""
        ...

    def draw(self, scene: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n,) -> frame (H, W, 3) and labels (H, W) in [0, K); label k shows thing k."""
        ...


def simulate(job: tuple[Physics, NDArray[np.float64], NDArray]) -> NDArray[np.float64]:
    """(physics, scenes (N, n), actions (N, T, A)) -> futures (N, T, n)."""
    physics, scenes, actions = job
    return np.stack([physics.simulate(*pair) for pair in zip(scenes, actions, strict=True)])
