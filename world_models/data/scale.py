"""Finds which stored values of a split mean black and white, and refuses what makes no picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from armillary.errors import ArmillaryError
from armillary.world_models.data.schema import FRAME_MAXIMUM, DataError

Scale = tuple[float, float]
"""The stored values of black and of white."""
BYTES: Scale = (0.0, 255.0)
UNIT: Scale = (0.0, 1.0)

_WHITE_LIMIT = 1.5
"""A sampled maximum below it means 0..1; rounding may lift white a little above 1."""
_ROUNDING = 0.005
"""How far rounding may move black, as a share of white."""
WAY_IN = (
    "Say what is black and what is white with 'data.scale=[BLACK,WHITE]' (source.scale of convert)"
)


def checked_scale(scale: Sequence[float]) -> Scale:
    """What a user said of black and white as a ``Scale``.

    Raises:
        ArmillaryError: it is no pair of finite numbers, black below white.
    """
    try:
        black, white = map(float, scale)
    except (TypeError, ValueError):
        black = white = math.nan
    if not -math.inf < black < white < math.inf:
        raise ArmillaryError(
            "a scale must be two numbers, what means black and above it what means white, "
            f"[0,1] or [-1,1] say; got {scale}"
        )
    return black, white


def declared_scale(path: Path, declared: object) -> Scale:
    """The scale that a file declares by the value of its attribute ``FRAME_MAXIMUM``.

    Raises:
        DataError: it is neither 1 nor 255.
    """
    if declared not in (1, 255):
        raise DataError(path, f"attribute {FRAME_MAXIMUM!r} must be 1 or 255, got {declared}")
    return BYTES if declared == 255 else UNIT


def find_scale(path: Path, split: str, kind: np.dtype, low: float, high: float) -> Scale:
    """The scale of a split that nothing is said of, from the extremes of some of its frames.

    Args:
        path: of the file, for messages.
        split: its name, likewise.
        kind: how frames are stored.
        low: least value of the sampled frames; NaN where some of them hold NaN.
        high: greatest value, likewise.

    Raises:
        DataError: bytes of 0 and 1 alone, or numbers that are neither in 0..1 nor in 0..255.
    """
    if kind == np.uint8:
        if high == 1:
            raise DataError(
                path,
                f"frames of {split!r} are bytes and none of those sampled is above 1: in 0..255 "
                f"that is black. {WAY_IN}; of 0 and 1 that is 'data.scale=[0,1]'",
            )
        return BYTES
    scale = UNIT if high < _WHITE_LIMIT else BYTES
    if low < -_ROUNDING * scale[1] and high <= 255.5:
        symmetric = f"[{-scale[1]:g},{scale[1]:g}]"
        raise DataError(
            path,
            f"frames of {split!r} reach from {low:g} to {high:g}, neither in 0..1 nor in 0..255. "
            f"{WAY_IN}: 'data.scale={symmetric}' perhaps",
        )
    if high > 255.5:
        raise DataError(path, f"frames of {split!r} reach {high:g}, above 255. {WAY_IN}")
    return scale
