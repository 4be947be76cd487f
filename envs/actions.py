"""Actions that ``step`` of an environment is given: read and checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.errors import ArmillaryError

_ROUNDING = 1e-6


def unit_action(action: Any, size: int) -> NDArray[np.float64]:
    """(size,) numbers in [-1, 1], which rounding may lead 1e-6 beyond.

    Raises:
        ArmillaryError: there are more or fewer of them, or one is not finite or out of the range.
    """
    values = _shaped(action, (size,))
    if not (np.abs(values) <= 1.0 + _ROUNDING).all():
        raise ArmillaryError(f"action must be finite and in [-1, 1], got {values.tolist()}")
    return values


def box_action(action: Any, box: spaces.Box, rounding: float = _ROUNDING) -> NDArray[np.float64]:
    """(A,) numbers in a box, which rounding may lead so far beyond.

    Raises:
        ArmillaryError: the shape is another one, or a number is not finite or out of the box.
    """
    values, low, high = _shaped(action, box.shape), box.low, box.high
    if not ((values >= low - rounding) & (values <= high + rounding)).all():
        raise ArmillaryError(
            f"action must lie from {low.tolist()} to {high.tolist()}, got {values.tolist()}"
        )
    return values


def _shaped(action: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = np.asarray(action, np.float64)
    if values.shape != shape:
        raise ArmillaryError(f"action must have shape {shape}, got {values.shape}")
    return values
