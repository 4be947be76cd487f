"""What one scene shows, for naming the things in it: where each is, and its colour."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from armillary.world_models.simulator import Roles, View

HUES = {
    "red": 0,
    "orange": 27,
    "yellow": 52,
    "green": 125,
    "cyan": 185,
    "blue": 222,
    "purple": 282,
    "pink": 325,
}
"""Names of hues, in degrees."""
GREYS = {"black": 0.1, "grey": 0.6, "white": 1.0}
COLORS = (*HUES, *GREYS)
ALIASES = {"gray": "grey", "violet": "purple", "magenta": "pink", "turquoise": "cyan"}
_LEAST_CHROMA = 0.15


@dataclass(frozen=True)
class Sight:
    """A scene of K slots, or of K true things.

    Attributes:
        masks: (K, H, W) float, the share that each has of every pixel.
        colors: (K, 3) in [0, 1].
        things: (K,) bool; not the background, and not empty.
    """

    masks: NDArray[np.floating]
    colors: NDArray[np.floating]
    things: NDArray[np.bool_]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(H, W): whose each pixel is."""
        return self.masks.argmax(0)

    @property
    def seen(self) -> list[int]:
        """The things, as indices."""
        return np.flatnonzero(self.things).tolist()

    def names(self) -> list[str]:
        """The name of each one's colour, (K,)."""
        return [color_name(color) for color in self.colors.tolist()]


def sights(scenes: View, roles: Roles) -> list[Sight]:
    """What each of B scenes shows; slots that are seen have a role."""
    masks, components = scenes.scene.masks, scenes.scene.components
    mass = masks.sum((-1, -2)).clamp_min(1e-6)
    colors = (components * masks).sum((-1, -2)) / mass
    things = (roles.objects + roles.effector) > 0
    rows = zip(*(_array(x) for x in (masks[:, :, 0], colors, things)), strict=True)
    return [Sight(*row) for row in rows]


def true_sight(frame: NDArray[np.uint8], labels: NDArray[np.integer], count: int) -> Sight:
    """What an image (H, W, 3) shows, of whose ``count`` things (H, W) labels tell the pixels."""
    masks = (labels == np.arange(count)[:, None, None]).astype(np.float32)
    mass = masks.sum((1, 2))
    colors = np.einsum("khw,hwc->kc", masks, frame / 255.0) / mass.clip(1.0)[:, None]
    things = mass > 0
    things[0] = False
    return Sight(masks, colors, things)


def color_name(color: Sequence[float]) -> str:
    """The name out of ``COLORS`` of an RGB colour in [0, 1]."""
    if max(color) - min(color) < _LEAST_CHROMA:
        level = sum(color) / 3
        return min(GREYS, key=lambda name: abs(GREYS[name] - level))
    hue = 360.0 * colorsys.rgb_to_hsv(*color)[0]
    return min(HUES, key=lambda name: abs((HUES[name] - hue + 180.0) % 360.0 - 180.0))


def _array(tensor: Tensor) -> NDArray:
    return tensor.detach().cpu().numpy()
