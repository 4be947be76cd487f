"""What StackBlocks' scenes vary in: how many blocks, their colours and sizes, and who looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.options import Color, color, listed, within
from armillary.envs.stack_blocks.physics import HALF_SIDE
from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

PALETTE: dict[str, Color] = {
    "red": (0.86, 0.20, 0.18),
    "green": (0.20, 0.65, 0.26),
    "blue": (0.16, 0.36, 0.86),
    "yellow": (0.95, 0.77, 0.10),
    "purple": (0.60, 0.22, 0.72),
    "cyan": (0.12, 0.72, 0.78),
    "orange": (0.95, 0.48, 0.10),
    "white": (0.96, 0.96, 0.96),
    "black": (0.12, 0.12, 0.14),
}
CAMERAS = {
    "near": Camera((0.0, -1.36, 5.1), (0.0, 2.92, 0.0), 52.0),
    "op3": Camera((0.0, -3.0, 4.5), (0.0, 4.794, 0.0), 55.0),
}
"""Who looks: 40 degrees from straight down, and as OP3's camera does, 60 degrees from it."""
VARIABLE = ("colors", "sizes", "camera")
SIZE_RANGE = (0.25, 0.6)
"""Half sides of blocks that can be asked for, in the scene's units."""

_VARIED_SIZES = (0.32, 0.45)
_CAMERA_JITTER = (0.3, 0.2, 3.0)
"""Greatest change of each coordinate of position and target, and of the angle in degrees."""
_FIRST = 6
"""Colours that are told apart best; the others are taken where there are more blocks."""
_COLORS_APART = 0.3


@dataclass(frozen=True)
class Factors:
    """The factors of variation of a scene.

    Attributes:
        sizes: half sides of the blocks.
        colors: of the blocks, RGB in [0, 1].
        camera: who looks.
    """

    sizes: tuple[float, ...]
    colors: tuple[Color, ...]
    camera: Camera

    @property
    def looks(self) -> NDArray[np.float64]:
        """(c, 4): half side, red, green and blue of each block."""
        return np.column_stack([self.sizes, self.colors])

    @classmethod
    def sample(
        cls,
        rng: np.random.Generator,
        counts: tuple[int, int],
        camera: str,
        vary: Collection[str],
        options: Mapping[str, Any],
    ) -> Factors:
        """Draws what ``options`` leaves open.

        Args:
            rng: the environment's generator.
            counts: the least and the greatest number of blocks.
            camera: one of ``CAMERAS``.
            vary: out of ``VARIABLE``: what is drawn from a range. Else colours are different ones
                of ``PALETTE``, all half sides 0.4, and the camera stands still.
            options: any of ``num_blocks``, ``colors`` (names or RGB), ``sizes`` (half sides), one
                entry per block, and ``camera`` (a name).

        Raises:
            ArmillaryError: an option is unknown or out of its range.
        """
        valid = ("num_blocks", *VARIABLE)
        for name in options:
            if name not in valid:
                raise ArmillaryError(f"unknown reset option {name!r}; {suggest(name, valid)}")
        count = options.get("num_blocks", int(rng.integers(counts[0], counts[1] + 1)))
        if count not in range(1, counts[1] + 1):
            raise ArmillaryError(
                f"num_blocks must be from 1 to the {counts[1]} of the environment, got {count!r}"
            )
        colors = _distinct(rng, count) if "colors" in vary else _named(rng, count)
        sizes = [HALF_SIDE] * count
        if "sizes" in vary:
            sizes = rng.uniform(*_VARIED_SIZES, count).round(3).tolist()
        stands = camera_named(options.get("camera", camera))
        if "camera" in vary and "camera" not in options:
            stands = _moved(rng, stands)
        return cls(
            tuple(
                within("a block's half side", size, SIZE_RANGE, "of the scene's units")
                for size in listed(options, "sizes", sizes)
            ),
            tuple(color("color", one, PALETTE) for one in listed(options, "colors", colors)),
            stands,
        )


def camera_named(name: str) -> Camera:
    """One of ``CAMERAS``. Raises ArmillaryError where there is none of that name."""
    if name not in CAMERAS:
        raise ArmillaryError(f"unknown camera {name!r}; {suggest(str(name), CAMERAS)}")
    return CAMERAS[name]


def _named(rng: np.random.Generator, count: int) -> list[Any]:
    names = list(PALETTE)
    return rng.permutation(names[:_FIRST] if count <= _FIRST else names)[:count].tolist()


def _distinct(rng: np.random.Generator, count: int) -> list[Any]:
    """Colours of which no two are close, as OP3 draws them."""
    colors: list[list[float]] = []
    while len(colors) < count:
        color = rng.uniform(0.0, 1.0, 3).round(3)
        if all(np.linalg.norm(color - other) > _COLORS_APART for other in colors):
            colors.append(color.tolist())
    return colors


def _moved(rng: np.random.Generator, camera: Camera) -> Camera:
    place, target, angle = _CAMERA_JITTER
    x, y, z = (camera.position + rng.uniform(-place, place, 3)).tolist()
    to_x, to_y = (camera.target[:2] + rng.uniform(-target, target, 2)).tolist()
    return Camera((x, y, z), (to_x, to_y, 0.0), camera.fovy + float(rng.uniform(-angle, angle)))
