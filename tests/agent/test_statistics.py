"""Intervals of success rates against published values and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.agent.statistics import wilson_interval


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
