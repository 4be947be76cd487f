"""The policy that collects SpriteGoals data: selects sprites, or anything, and moves it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import Scene, sprites_of
from armillary.envs.options import probability
from armillary.envs.sprite_goals.physics import REACH


class MovePolicy:
    """Moves a random sprite by a random way, or selects any point.

    A sprite is selected anywhere within half of its radius from its centre.

    Args:
        hit: probability that a sprite is meant; other points lie anywhere in the image.
    """

    def __init__(self, hit: float = 0.8) -> None:
        self.hit = probability("hit", hit)
        self._rng = np.random.default_rng(0)

    def reset(self, rng: np.random.Generator) -> None:
        """Starts an episode; every later draw comes from ``rng``."""
        self._rng = rng

    def act(self, scene: Scene) -> NDArray[np.float32]:
        """(n,) a snapshot -> (4,): a point in [0, 1], then the way, all ways equally likely."""
        point, way = self._rng.random(2), self._rng.uniform(-REACH, REACH, 2)
        if self._rng.random() < self.hit:
            sprite = self._rng.choice(sprites_of(scene))
            angle = self._rng.uniform(-math.pi, math.pi)
            off = 0.5 * sprite[9] * math.sqrt(self._rng.random())
            point = sprite[:2] + off * np.array([math.cos(angle), math.sin(angle)])
        return np.concatenate([point, way]).astype(np.float32)
