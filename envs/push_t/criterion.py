"""When PushT is solved: the field's criterion, as DINO-WM and stable-worldmodel have it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACE_TOLERANCE = 20.0
"""Of the places of agent and T together, as one vector of four numbers, in pixels of 512."""
ANGLE_TOLERANCE = math.pi / 9
"""Of the T's angle, in radians."""


def differences(
    achieved: NDArray[np.float64], desired: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far apart (..., 5) agent x, y, T x, y and angle are: in pixels, and in radians."""
    place = np.linalg.norm(achieved[..., :4] - desired[..., :4], axis=-1)
    turn = np.abs(achieved[..., 4] - desired[..., 4]) % (2.0 * math.pi)
    return place, np.minimum(turn, 2.0 * math.pi - turn)


def tolerances(achieved: NDArray[np.float64], desired: NDArray[np.float64]) -> NDArray[Any]:
    """The greater of both differences in units of its tolerance: solved where it is below 1."""
    place, turn = differences(achieved, desired)
    return np.maximum(place / PLACE_TOLERANCE, turn / ANGLE_TOLERANCE)
