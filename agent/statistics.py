"""Statistics of success rates."""

from __future__ import annotations

import math

from armillary.errors import ArmillaryError

_Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson_interval(successes: int, episodes: int, z: float = _Z95) -> tuple[float, float]:
    """The score interval of a success rate (Wilson 1927); useful at 0 % and at 100 % too.

    Args:
        successes: from 0 to ``episodes``.
        episodes: at least 1.
        z: normal quantile of the confidence; 1.96 gives 95 %.

    Returns:
        The low and high end, in [0, 1].

    Raises:
        ArmillaryError: the counts are out of range.
    """
    if not 0 <= successes <= episodes or episodes < 1:
        raise ArmillaryError(
            f"successes must be from 0 to episodes, which must be at least 1, "
            f"got {successes} of {episodes}"
        )
    rate, spread = successes / episodes, z * z / episodes
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt((rate * (1 - rate) + spread / 4) / episodes) / (1 + spread)
    # At 0 % and at 100 % one end is exact; rounding must not move it.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == episodes else middle + half
    return low, high
