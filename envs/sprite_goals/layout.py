"""Samples SpriteGoals problems: where sprites are, and where each of them belongs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import (
    HEADER,
    MARGIN,
    Scene,
    render_sprites,
    scene_size,
    sprites_of,
)
from armillary.envs.sprite_goals.factors import Factors
from armillary.errors import ArmillaryError

LEAST_WAY = 0.15
"""How far every sprite is from its place at first, at least, in image widths."""
LEAST_SEEN = 0.5
"""The share of every sprite that others leave to be seen, at the start and in the goal image."""

_ATTEMPTS = 1000
_SEEN_AT = 48


def sample_problem(
    rng: np.random.Generator, factors: Factors, most: int, drift: float = 0.0
) -> tuple[Scene, Scene]:
    """Draws a start and a goal scene, each with room for ``most`` sprites.

    Places are drawn evenly; sprites may hide half of one another. In the goal nothing drifts.

    Raises:
        ArmillaryError: the sprites are too many and too large for all to be seen.
    """
    start = np.zeros(scene_size(most))
    rows = factors.rows(rng, drift)
    start[:HEADER] = len(rows), factors.background
    start[HEADER : HEADER + rows.size] = rows.reshape(-1)
    goal = start.copy()
    sprites_of(goal)[:, 2:4] = 0.0
    for scene, left in ((start, None), (goal, sprites_of(start))):
        for _ in range(_ATTEMPTS):
            places = rng.uniform(MARGIN, 1.0 - MARGIN, (len(rows), 2))
            sprites_of(scene)[:, :2] = places
            if (left is None or _far(places, left[:, :2])) and seen(scene).min() >= LEAST_SEEN:
                break
        else:
            raise ArmillaryError(
                f"found no room for sprites of sizes {list(factors.sizes)} in {_ATTEMPTS} "
                "attempts; ask for fewer or smaller ones"
            )
    return start, goal


def seen(scene: Scene) -> NDArray[np.float64]:
    """(n,) about what share of each sprite is to be seen."""
    sprites = sprites_of(scene)
    _, labels = render_sprites(scene, _SEEN_AT)
    pixels = np.bincount(labels.ravel(), minlength=1 + len(sprites))[1:]
    return pixels / (math.pi * (sprites[:, 9] * _SEEN_AT) ** 2)


def _far(places: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    return bool((np.linalg.norm(places - others, axis=1) >= LEAST_WAY).all())
