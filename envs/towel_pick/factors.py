"""What TowelPick's scenes vary in: objects, their shapes, sizes and colours, and who looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.mujoco.variation import PALETTE, distinct_colors, moved
from armillary.envs.options import Color, color, counted, known, listed, within
from armillary.envs.towel_pick.physics import SIZE
from armillary.envs.towel_pick.scene import SHAPES

CAMERAS = {
    "front": Camera((0.0, -0.55, 0.64), (0.0, 0.0, 0.02), 44.0),
    "above": Camera((0.0, -0.25, 0.90), (0.0, 0.0, 0.0), 38.0),
}
"""Who looks: as the camera of the published videos does, and from higher up."""
VARIABLE = ("shapes", "sizes", "colors", "camera")
SIZE_RANGE = (0.024, 0.04)
"""Sizes of objects that can be asked for, in metres."""

_VARIED_SIZES = (0.03, 0.038)
_CAMERA_JITTER = (0.03, 0.02, 2.0)
"""Greatest change of each coordinate of position and target, and of the angle in degrees."""


@dataclass(frozen=True)
class Factors:
    """The factors of variation of a scene.

    Attributes:
        shapes: of the objects, out of ``SHAPES``.
        sizes: about half of what the objects are wide, in metres.
        colors: of the objects, RGB in [0, 1].
        camera: who looks.
    """

    shapes: tuple[str, ...]
    sizes: tuple[float, ...]
    colors: tuple[Color, ...]
    camera: Camera

    @property
    def looks(self) -> NDArray[np.float64]:
        """(c, 5): shape, size, red, green and blue of each object."""
        numbers = [SHAPES.index(shape) for shape in self.shapes]
        return np.column_stack([numbers, self.sizes, self.colors])

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
            counts: the least and the greatest number of objects.
            camera: one of ``CAMERAS``.
            vary: out of ``VARIABLE``: what is drawn from a range. Else there is one of each shape
                before there are two, colours are different ones of ``PALETTE``, all sizes are
                alike, and the camera stands still.
            options: any of ``num_objects``, ``shapes`` (names), ``sizes``, ``colors`` (names or
                RGB), one entry per object, and ``camera`` (a name).

        Raises:
            ArmillaryError: an option is unknown or out of its range.
        """
        for option in options:
            known("reset option", option, ("num_objects", *VARIABLE))
        count = counted(rng, options, "num_objects", counts)
        drawn = distinct_colors(rng, count, "colors" in vary)
        rounds = -(-count // len(SHAPES))
        shapes = np.concatenate([rng.permutation(SHAPES) for _ in range(rounds)])[:count]
        if "shapes" in vary:
            shapes = rng.choice(SHAPES, count)
        sizes = [SIZE] * count
        if "sizes" in vary:
            sizes = rng.uniform(*_VARIED_SIZES, count).round(4).tolist()
        stands = CAMERAS[known("camera", options.get("camera", camera), CAMERAS)]
        if "camera" in vary and "camera" not in options:
            stands = moved(rng, stands, *_CAMERA_JITTER)
        return cls(
            tuple(
                known("shape", shape, SHAPES)
                for shape in listed(options, "shapes", shapes.tolist())
            ),
            tuple(
                within("an object's size", size, SIZE_RANGE, "metres")
                for size in listed(options, "sizes", sizes)
            ),
            tuple(color("color", one, PALETTE) for one in listed(options, "colors", drawn)),
            stands,
        )
