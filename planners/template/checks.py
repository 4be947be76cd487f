"""Validation of what planners are constructed with: what was required, what arrived."""

from __future__ import annotations

from armillary.errors import ArmillaryError


def check(name: str, value: float, required: str, holds: bool) -> None:
    """Raises ``ArmillaryError("NAME must be REQUIRED, got VALUE")`` unless it holds."""
    if not holds:
        raise ArmillaryError(f"{name} must be {required}, got {value}")


def check_count(name: str, value: int, least: int) -> None:
    """Raises ArmillaryError unless ``value`` is a whole number of at least ``least``."""
    holds = isinstance(value, int) and value >= least
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
