"""The policy that collects StackBlocks data: moves, stacks, near misses, and random actions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.stack_blocks.physics import ARENA, HEIGHTS
from armillary.envs.stack_blocks.scene import Scene, positions_of
from armillary.errors import ArmillaryError

_OVER = 1.0
"""How far above a block's middle another is held that is put on it."""
_ROUNDING = 1e-9
_ON, _BESIDE = 0.1, 0.9
"""How far along each axis from a block's middle another is put on it, or close to it, at most."""


class StackPolicy:
    """Puts a random block somewhere, on another one or close to it, or acts at random.

    Picks are off the block's middle by up to 0.12 along each axis, and one in four by up to 0.4,
    which misses most of the time.

    Args:
        heights: whether actions name heights.
        anywhere: probability of putting a block somewhere in the arena.
        stack: of putting it on another one, where there is one.
        beside: of putting it close to another one, often half on it: from there it falls, which a
            model has to have seen. What is left is random.
    """

    def __init__(
        self,
        heights: bool = False,
        anywhere: float = 0.45,
        stack: float = 0.45,
        beside: float = 0.0,
    ) -> None:
        if min(anywhere, stack, beside) < 0.0 or anywhere + stack + beside > 1.0 + _ROUNDING:
            raise ArmillaryError(
                "anywhere, stack and beside must be probabilities of at most 1 together, got "
                f"{anywhere}, {stack} and {beside}"
            )
        self.heights = heights
        self.anywhere = anywhere
        self.stack = stack
        self.beside = beside
        self._rng = np.random.default_rng(0)

    def reset(self, rng: np.random.Generator) -> None:
        """Starts an episode; every later draw comes from ``rng``."""
        self._rng = rng

    def act(self, scene: Scene) -> NDArray[np.float32]:
        """(n,) a snapshot -> (4,) or (6,)."""
        rng, positions = self._rng, positions_of(scene)
        kind = rng.random()
        pick, place = self._somewhere(), self._somewhere()
        if kind < self.anywhere + self.stack + self.beside:
            block = int(rng.integers(len(positions)))
            off = 0.12 if rng.random() < 0.75 else 0.4
            pick = positions[block] + rng.uniform(-off, off, 3)
            others = np.delete(positions, block, 0)
            if kind >= self.anywhere and len(others):
                away = _ON if kind < self.anywhere + self.stack else _BESIDE
                place = others[rng.integers(len(others))] + rng.uniform(-away, away, 3)
                place[2] += _OVER
        kept = 3 if self.heights else 2
        low, high = self._bounds()
        action = np.concatenate([np.clip(one, low, high)[:kept] for one in (pick, place)])
        return action.astype(np.float32)

    def _somewhere(self) -> NDArray[np.float64]:
        return self._rng.uniform(*self._bounds())

    @staticmethod
    def _bounds() -> NDArray[np.float64]:
        """(2, 3): the least and the greatest x, y and z."""
        return np.transpose([*ARENA, HEIGHTS])
