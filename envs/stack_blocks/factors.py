"""What StackBlocks' scenes vary in: how many blocks, their colours and sizes, and who looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.mujoco.variation import PALETTE, distinct_colors, moved
from armillary.envs.options import Color, color, counted, known, listed, within
from armillary.envs.stack_blocks.physics import HALF_SIDE

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
        for option in options:
            known("reset option", option, ("num_blocks", *VARIABLE))
        count = counted(rng, options, "num_blocks", counts)
        drawn = distinct_colors(rng, count, "colors" in vary)
        sizes = [HALF_SIDE] * count
        if "sizes" in vary:
            sizes = rng.uniform(*_VARIED_SIZES, count).round(3).tolist()
        stands = CAMERAS[known("camera", options.get("camera", camera), CAMERAS)]
        if "camera" in vary and "camera" not in options:
            stands = moved(rng, stands, *_CAMERA_JITTER)
        return cls(
            tuple(
                within("a block's half side", size, SIZE_RANGE, "of the scene's units")
                for size in listed(options, "sizes", sizes)
            ),
            tuple(color("color", one, PALETTE) for one in listed(options, "colors", drawn)),
            stands,
        )
