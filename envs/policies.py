"""The policy that collects data in any environment."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.spaces import uniform


class Uniform:
    """Draws every action anew, all equally likely.

    Args:
        space: bounded, of vectors (``armillary.spaces.vectors``).
    """

    def __init__(self, space: spaces.Box) -> None:
        self._space = space
        self._rng = np.random.default_rng(0)

    def reset(self, rng: np.random.Generator) -> None:
        """Starts an episode; every later draw comes from ``rng``."""
        self._rng = rng

    def act(self, scene: NDArray[np.float64]) -> NDArray[np.float32]:
        """(A,); the scene is not looked at."""
        return uniform(self._space, self._rng)
