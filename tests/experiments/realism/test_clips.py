"""Clips are drawn by the seed, without repetition, and from every episode alike."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.clips import draw_clips


def pairs(count: int | None, seed: int = 0) -> list[tuple[int, int]]:
    clips = draw_clips(6, 4, count, seed)
    return list(zip(clips.episodes.tolist(), clips.starts.tolist(), strict=True))


def test_all_clips_can_be_drawn_and_none_twice() -> None:
    drawn = pairs(24)
    assert sorted(drawn) == [(episode, start) for episode in range(6) for start in range(4)]


def test_every_episode_has_its_turn_before_one_comes_again() -> None:
    episodes = [episode for episode, _ in pairs(15)]
    assert sorted(episodes[:6]) == sorted(episodes[6:12]) == list(range(6))
    assert sorted(episode for episode, _ in pairs(None)) == list(range(6))


def test_the_seed_draws_the_population() -> None:
    assert pairs(6, seed=1) == pairs(6, seed=1)
    populations = [frozenset(pairs(6, seed=seed)) for seed in range(5)]
    assert len(set(populations)) == 5


def test_starts_are_spread_evenly() -> None:
    starts = np.concatenate([draw_clips(50, 4, None, seed).starts for seed in range(40)])
    counts = np.bincount(starts, minlength=4)
    assert counts.min() > 0.85 * len(starts) / 4


@pytest.mark.parametrize("count", [0, -1, 25])
def test_other_numbers_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match=r"videos must be in 1\.\.24: 6 episodes have 4 clips"):
        pairs(count)
