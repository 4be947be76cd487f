"""Validation of what planners are constructed with: what was required, what arrived."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from armillary.errors import ArmillaryError
from armillary.numbers import is_real, is_whole


def check(name: str, value: object, required: str, holds: bool) -> None:
    """Raises ``ArmillaryError("NAME must be REQUIRED, got VALUE")`` unless it holds."""
    if not holds:
        raise ArmillaryError(f"{name} must be {required}, got {value}")


def check_numbers(settings: Any) -> None:
    """Raises ArmillaryError unless all fields of a dataclass that are numbers hold some.

    Whole numbers are left to ``check_count``, which knows the least of each.
    """
    for field in fields(settings):
        if field.type in ("float", float):
            value = getattr(settings, field.name)
            check(field.name, value, "a number", is_real(value))


def check_count(name: str, value: int, least: int) -> None:
    """Raises ArmillaryError unless ``value`` is a whole number of at least ``least``."""
    holds = is_whole(value) and value >= least
    check(name, value, f"a whole number of at least {least}", holds)


def check_noise(std: float, noise_exponent: float) -> None:
    """Raises ArmillaryError unless candidates can be drawn like this."""
    check("std", std, "positive and finite", 0 < std < float("inf"))
    check(
        "noise_exponent",
        noise_exponent,
        "at least 0 and finite",
        0 <= noise_exponent < float("inf"),
    )


def check_fitting(samples: int, elites: int, momentum: float) -> None:
    """Raises ArmillaryError unless a Gaussian can be fitted like this."""
    check_count("elites", elites, 1)
    check("elites", elites, f"at most samples={samples}", elites <= samples)
    check("momentum", momentum, "in [0, 1)", 0 <= momentum < 1)
