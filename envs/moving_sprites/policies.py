"""Policies that collect MovingSprites data: watching, and dragging sprites about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import sprites_of
from armillary.envs.options import probability

Action = NDArray[np.float32]


class WatchPolicy:
    """Does nothing: the policy of an environment without actions."""

    def reset(self, rng: np.random.Generator) -> None:
        """Needs no randomness."""

    def act(self, scene: NDArray[np.float64]) -> Action:
        """(0,)."""
        return np.zeros(0, np.float32)


class DragPolicy:
    """Drags a random sprite by a random way, or clicks anywhere.

    Args:
        hit: probability that a click is meant for a sprite; other clicks fall anywhere.
    """

    def __init__(self, hit: float = 0.8) -> None:
        self.hit = probability("hit", hit)
        self._rng = np.random.default_rng(0)

    def reset(self, rng: np.random.Generator) -> None:
        """Every later draw comes from ``rng``."""
        self._rng = rng

    def act(self, scene: NDArray[np.float64]) -> Action:
        """(4,) in [-1, 1]: the point that is clicked, then the way, both uniform."""
        click = self._rng.uniform(-1.0, 1.0, 2)
        if self._rng.random() < self.hit:
            centre = self._rng.choice(sprites_of(scene)[:, :2])
            click = 2.0 * centre - 1.0
        return np.concatenate([click, self._rng.uniform(-1.0, 1.0, 2)]).astype(np.float32)
