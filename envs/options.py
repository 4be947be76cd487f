"""What users give an environment: settings, and values of ``reset(options=...)``, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.numbers import is_whole
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


def check_choices(*settings: tuple[str, Any, Collection[Any]]) -> None:
    """Raises ArmillaryError for the first (name, value, valid values) whose value is not valid."""
    for name, value, valid in settings:
        if not is_one_of(value, valid):
            raise ArmillaryError(f"{name} must be one of {[*valid]}, got {value!r}")


def is_one_of(value: Any, valid: Collection[Any]) -> bool:
    """Whether a value is valid; where all that are valid are whole numbers it must be one, too."""
    counts = all(isinstance(one, int) for one in valid)
    return (not counts or is_whole(value)) and value in valid


def snapshot_of(scene: Any, size: int, told: str) -> NDArray[np.float64]:
    """A copy (size,) of what is taken for a snapshot.

    Args:
        scene: that was given.
        size: n, numbers of a snapshot.
        told: what it is, ``a snapshot of up to 3 sprites``.

    Raises:
        ArmillaryError: it is no vector of so many finite numbers.
    """
    required = f"{told} is {size} finite numbers"
    try:
        vector = np.array(scene, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArmillaryError(f"{required}, got {type(scene).__name__}") from error
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise ArmillaryError(f"{required}, got shape {vector.shape}")
    return vector


def known(kind: str, value: Any, names: Collection[str]) -> Any:
    """The value, which is one of the names of a kind. Raises ArmillaryError for any other."""
    if value not in names:
        raise ArmillaryError(f"unknown {kind} {value!r}; {suggest(str(value), names)}")
    return value


def probability(name: str, value: float) -> float:
    """The value. Raises ArmillaryError unless it lies in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ArmillaryError(f"{name} must be a probability, got {value}")
    return value


def counted(
    rng: np.random.Generator, options: Mapping[str, Any], name: str, counts: tuple[int, int]
) -> int:
    """How many things there are: as the option of that name says, or as is drawn.

    Args:
        rng: the environment's generator.
        options: of ``reset``.
        name: of the option.
        counts: the least and the greatest number that is drawn; an option says at least 1.

    Raises:
        ArmillaryError: the option says more, or no number.
    """
    count = options.get(name, int(rng.integers(counts[0], counts[1] + 1)))
    if not is_one_of(count, range(1, counts[1] + 1)):
        raise ArmillaryError(
            f"{name} must be from 1 to the {counts[1]} of the environment, got {count!r}"
        )
    return count


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
