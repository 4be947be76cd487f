"""Statistics of success rates."""

from __future__ import annotations

from armillary.errors import ArmillaryError


def wilson_interval(successes: int, episodes: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a success rate (Wilson 1927); useful at 0 % and at 100 % too.

    Args:
        successes: from 0 to ``episodes``.
        episodes: at least 1.
        confidence: how often such an interval covers the rate.

    Returns:
        The low and high end, in [0, 1]; exactly 0 or 1 where all or none failed.

    Raises:
        ArmillaryError: the counts are out of range.
    """
    if not 0 <= successes <= episodes or episodes < 1:
        raise ArmillaryError(
            f"successes must be from 0 to episodes, which must be at least 1, "
            f"got {successes} of {episodes}"
        )
    from scipy.stats import binomtest  # takes most of a second, which agents need not wait for

    low, high = binomtest(successes, episodes).proportion_ci(confidence, method="wilson")
    return float(low), float(high)
