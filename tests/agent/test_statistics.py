"""Intervals of success rates and differences against published values and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, multinomial

from armillary.agent.statistics import episodes_needed, paired_interval, wilson_interval
from armillary.errors import ArmillaryError


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_known_values(successes: int, episodes: int, low: float, high: float) -> None:
    assert wilson_interval(successes, episodes) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_interval_covers_the_rate_as_often_as_it_says(rate: float) -> None:
    drawn = np.random.default_rng(0).binomial(100, rate, 4000)
    intervals = {int(n): wilson_interval(int(n), 100) for n in np.unique(drawn)}
    covered = np.mean([intervals[n][0] <= rate <= intervals[n][1] for n in drawn.tolist()])
    assert 0.93 < covered < 0.975


@pytest.mark.parametrize(("successes", "episodes"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, episodes: int) -> None:
    with pytest.raises(ValueError, match="from 0 to episodes"):
        wilson_interval(successes, episodes)


@pytest.mark.parametrize("episodes", [1, 3, 7, 100, 12345])
def test_the_ends_are_exact(episodes: int) -> None:
    assert wilson_interval(0, episodes)[0] == 0.0
    assert wilson_interval(episodes, episodes)[1] == 1.0


def test_more_confidence_is_a_wider_interval() -> None:
    (low, high), (lower, higher) = wilson_interval(5, 20), wilson_interval(5, 20, confidence=0.99)
    assert lower < low < high < higher


@pytest.mark.parametrize(
    ("both", "a", "b"), [(0.9, 0.05, 0.05), (0.3, 0.5, 0.2), (0.6, 0.3, 0.1), (0.98, 0.02, 0.0)]
)
def test_the_paired_interval_covers_at_least_as_often_as_it_says(
    both: float, a: float, b: float
) -> None:
    n, covered = 10, 0.0
    for i in range(n + 1):
        for j in range(n + 1 - i):
            low, high = paired_interval(i, j, n)
            chance = multinomial.pmf([i, j, n - i - j], n, [a, b, both])
            covered += float(chance) * (low <= a - b <= high)
    assert covered >= 0.95


@pytest.mark.parametrize(("a", "b"), [(5, 0), (6, 0), (9, 1), (10, 1), (20, 8), (22, 8), (30, 30)])
def test_the_paired_interval_agrees_with_the_exact_sign_test(a: int, b: int) -> None:
    low, high = paired_interval(a, b, 100)
    assert (low > 0) == (binomtest(a, a + b).pvalue < 0.05)
    assert low <= (a - b) / 100 <= high


def test_the_paired_interval_has_a_width_where_nothing_differs_and_two_sides() -> None:
    low, high = paired_interval(0, 0, 100)
    assert -0.04 < low < -0.03
    assert high == -low
    mirrored = paired_interval(3, 12, 40)
    assert paired_interval(12, 3, 40) == (-mirrored[1], -mirrored[0])


@pytest.mark.parametrize("counts", [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_pairs_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ArmillaryError, match="together at most episodes"):
        paired_interval(*counts)


def test_so_many_episodes_show_the_difference_as_often_as_wanted() -> None:
    needed = episodes_needed(20, 10, 100)
    assert needed == 234  # Connor 1987: (1.96 sqrt(.3) + .8416 sqrt(.29))^2 / .01
    drawn = np.random.default_rng(0).multinomial(needed, [0.2, 0.1, 0.7], 1500)
    seen = np.mean([binomtest(int(a), int(a + b)).pvalue < 0.05 for a, b, _ in drawn])
    assert 0.7 < seen < 0.85  # the exact test is a little more cautious
    assert episodes_needed(4, 4, 100) is None
    assert episodes_needed(8, 0, 8) == 6  # 5 of 5 are not told apart from none, p = 1/16
