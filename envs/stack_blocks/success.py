"""How well StackBlocks' blocks are where the goal has them: by distance, and by OP3's rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.stack_blocks.scene import Scene, looks_of, positions_of

TOLERANCE = 0.3
"""How far from its place a block may be, in the scene's units."""
OP3_THRESHOLD = 0.3


def distances(scene: Scene, goal: Scene) -> NDArray[np.float64]:
    """(c,) how far each block is from its own place."""
    return np.linalg.norm(positions_of(scene) - positions_of(goal), axis=1)


def op3_rule(scene: Scene, goal: Scene) -> float:
    """The share of blocks that OP3's published code counts as correct (its ``compute_accuracy``).

    A block is where some block of the goal has a mean squared difference in x, y, z plus a mean
    squared difference in red, green, blue and alpha below 0.3: with the colour right, about 0.95
    units away from it. Several blocks may take the same one of the goal
    (Veerapaneni et al. 2019, arXiv:1910.12827; github.com/jcoreyes/OP3).
    """
    places = _pairs(positions_of(scene), positions_of(goal)).mean(-1)
    colors = _pairs(looks_of(scene)[:, 1:], looks_of(goal)[:, 1:]).sum(-1) / 4  # alpha is alike
    return float(((places + colors).min(1) < OP3_THRESHOLD).mean())


def _pairs(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """(c, n) and (c, n) -> squared differences (c, c, n)."""
    return (ours[:, None] - theirs[None]) ** 2
