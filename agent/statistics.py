"""Statistics of success rates, and of their differences on the same episodes."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

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


_GRID = 120
"""Shares of discordant episodes among which the least favourable one is looked for."""
_EXACT = 1e-4
"""How far an end of an interval is from the exact one at most; it is on the cautious side."""


def paired_interval(
    only_a: int, only_b: int, episodes: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The exact interval of a difference of two success rates on the same episodes.

    Both ends are Buehler's (1957) exact one-sided limits, as Lloyd and Moldovan (2007) put them to
    use for paired proportions: the least difference under which outcomes that speak for ``a`` as
    much as these are not too rare, whatever the share of episodes is on which the two disagree.
    Outcomes are ordered by ``n_a - n_b - z sqrt(n_a + n_b + 1)``. The interval covers at least as
    often as it says with any number of episodes, also where the two never disagree.

    Args:
        only_a: episodes in which ``a`` alone reached the goal.
        only_b: those in which ``b`` alone did.
        episodes: all of them, at least 1.
        confidence: how often such an interval covers the difference, at least.

    Returns:
        The low and the high end of the rate of ``a`` minus that of ``b``, in [-1, 1].

    Raises:
        ArmillaryError: the counts are out of range.
    """
    if min(only_a, only_b) < 0 or episodes < 1 or only_a + only_b > episodes:
        raise ArmillaryError(
            f"only_a and only_b must be at least 0 and together at most episodes, which must be at "
            f"least 1; got {only_a} and {only_b} of {episodes}"
        )
    level = (1 - confidence) / 2
    return (
        _least_difference(only_a, only_b, episodes, level),
        -_least_difference(only_b, only_a, episodes, level),
    )


@cache
def _least_difference(more: int, less: int, episodes: int, level: float) -> float:
    """The greatest known difference below which such outcomes are rarer than ``level``."""
    from scipy.special import bdtrc
    from scipy.stats import binom, norm

    z = float(norm.ppf(1 - level))
    discordant = np.arange(episodes + 1)
    order = more - less - z * math.sqrt(more + less + 1)
    # Of m discordant episodes so many or more are won in outcomes that speak for it as much.
    won = np.ceil((order + z * np.sqrt(discordant + 1) + discordant) / 2 - 1e-9)
    won = np.clip(won, 0, discordant + 1)[:, None]

    def greatest_chance(difference: float) -> float:
        span = np.linspace(0, 1, _GRID) ** 2
        share = np.clip(abs(difference) + (1 - abs(difference)) * span, 1e-12, 1)
        wins = np.clip((share + difference) / (2 * share), 0, 1)
        m = discordant[:, None]
        above = np.where(won > m, 0.0, np.where(won < 1, 1.0, bdtrc(won - 1, m, wins)))
        return float((binom.pmf(m, episodes, share) * above).sum(0).max())

    low, high = -1.0, (more - less) / episodes
    while high - low > _EXACT:
        middle = (low + high) / 2
        low, high = (middle, high) if greatest_chance(middle) <= level else (low, middle)
    return low


def episodes_needed(
    only_a: int, only_b: int, episodes: int, confidence: float = 0.95, power: float = 0.8
) -> int | None:
    """How many episodes a difference of the size that was found would need to be seen.

    Connor (1987), for McNemar's test of paired proportions; at least as many as it takes for so
    many episodes to be discordant that the exact test can tell anything: 6 with 95 %.

    Args:
        only_a: see ``paired_interval``, as the next two.
        only_b: count.
        episodes: count.
        confidence: of the test.
        power: how often so many episodes show such a difference.

    Returns:
        The number, None where no difference was found.
    """
    from scipy.stats import norm

    difference, discordant = (only_a - only_b) / episodes, (only_a + only_b) / episodes
    if difference == 0:
        return None
    wanted = norm.ppf((1 + confidence) / 2) * math.sqrt(discordant)
    wanted += norm.ppf(power) * math.sqrt(discordant - difference**2)
    fewest = math.ceil(1 - math.log2(1 - confidence)) / discordant
    return math.ceil(max((wanted / difference) ** 2, fewest))
