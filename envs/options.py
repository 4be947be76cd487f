"""Values that ``reset(options=...)`` of an environment gives: read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

Color = tuple[float, float, float]
"""Red, green and blue in [0, 1]."""
PALETTE: dict[str, Color] = {
    "red": (0.86, 0.20, 0.18),
    "green": (0.20, 0.65, 0.26),
    "blue": (0.16, 0.36, 0.86),
    "yellow": (0.95, 0.77, 0.10),
    "purple": (0.60, 0.22, 0.72),
    "cyan": (0.12, 0.72, 0.78),
}
"""Colours that are told apart best."""


def listed(options: Mapping[str, Any], name: str, drawn: Sequence[Any]) -> Sequence[Any]:
    """The values of an option, one for each thing, or those that were drawn.

    Raises:
        ArmillaryError: it lists another number of values, or none.
    """
    values = options.get(name, drawn)
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != len(drawn):
        raise ArmillaryError(f"{name} must list {len(drawn)} values, one each, got {values!r}")
    return values


def color(name: str, value: Any, palette: Mapping[str, Color]) -> Color:
    """A colour by its name in a palette, or RGB in [0, 1].

    Args:
        name: of the option, for messages.
        value: that was given.
        palette: names that are known.

    Raises:
        ArmillaryError: it is neither.
    """
    if isinstance(value, str) and palette:
        if value not in palette:
            raise ArmillaryError(
                f"unknown {name} {value!r}; {suggest(value, palette)}, or give RGB"
            )
        return palette[value]
    parts = np.asarray(value, dtype=object)
    if parts.shape != (3,) or not all(_is_number(one) and 0 <= one <= 1 for one in parts):
        valid = "a name or three numbers" if palette else "three numbers"
        raise ArmillaryError(f"a {name} must be {valid} in [0, 1], got {value!r}")
    red, green, blue = (float(one) for one in parts)
    return red, green, blue


def within(name: str, value: Any, limits: tuple[float, float], unit: str) -> float:
    """A number in a range, in a unit. Raises ArmillaryError for any other value."""
    if not _is_number(value) or not limits[0] <= value <= limits[1]:
        raise ArmillaryError(f"{name} must lie in {limits} {unit}, got {value!r}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)
