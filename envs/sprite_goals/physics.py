"""How SpriteGoals' sprites move: by themselves, and by being selected and moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import MARGIN, Scene, move, sprite_at, sprites_of

REACH = 0.25
"""How far an action moves a sprite along x or y, at most, in image widths."""


def step(
    scene: Scene, action: NDArray[np.floating], shake: NDArray[np.float64] | float = 0.0
) -> Scene:
    """Moves the uppermost sprite under a point, and all sprites as they move by themselves.

    Spriteworld's "select and move" (Watters et al. 2019, arXiv:1905.09275; its ``SelectMove``): a
    point that no sprite covers moves nothing, and nothing is moved out of sight.

    Args:
        scene: see ``moving_sprites.scene``.
        action: (4,) the point, then the way, x to the right and y downwards, in image widths.
        shake: (n, 2) what chance adds to the places of sprites.

    Returns:
        The next scene; the argument is left as it was.
    """
    scene, taken = scene.copy(), np.asarray(action, np.float64)
    sprites = sprites_of(scene)
    motion = sprites[:, 2:4] + shake
    selected = sprite_at(scene, taken[:2])
    if selected is not None:
        place = sprites[selected, :2]
        motion[selected] += np.clip(place + taken[2:], MARGIN, 1.0 - MARGIN) - place
    move(sprites, motion)
    return scene


def simulate(scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) scene and (T, 4) actions -> the T next scenes (T, n), nothing being left to chance."""
    scenes = np.empty((len(actions), len(scene)))
    for t, action in enumerate(actions):
        scene = scenes[t] = step(scene, action)
    return scenes
