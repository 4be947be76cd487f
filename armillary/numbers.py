"""What counts as a number where users give one."""

from __future__ import annotations

from numbers import Integral, Real


def is_whole(value: object) -> bool:
    """Whether it is a whole number, NumPy's or Python's, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether it is a real number, NumPy's or Python's, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)
