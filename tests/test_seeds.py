"""Seeds are contracts: the numbers that were drawn yesterday are drawn tomorrow."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.seeds import (
    SEEDS,
    OfEpisode,
    OfVideo,
    episode_generator,
    played_episode_seed,
    recorded_episode_seed,
    video_seed,
)


@pytest.mark.parametrize(
    ("seed", "video", "purpose", "expected"),
    [
        (0, 0, OfVideo.NOISE, 7896617691693857887),
        (0, 1, OfVideo.NOISE, 2918264622725855778),
        (7, 3, OfVideo.NOISE, 2530781778362038830),
        (7, 3, OfVideo.CHOICE, 6665335680343557524),
        (2**32 - 1, 41, OfVideo.CHOICE, 6663325617993888301),
    ],
)
def test_the_seeds_of_videos_are_what_they_were(
    seed: int, video: int, purpose: OfVideo, expected: int
) -> None:
    assert video_seed(seed, video, purpose) == expected


def test_no_two_videos_or_purposes_share_a_seed() -> None:
    drawn = [
        video_seed(seed, video, purpose)
        for seed in range(20)
        for video in range(50)
        for purpose in OfVideo
    ]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**63 for seed in drawn)


def test_recorded_episodes_are_none_that_is_played() -> None:
    assert played_episode_seed(3, 4) == 7
    assert recorded_episode_seed(0, 7) == 2**32 + 7
    assert recorded_episode_seed(0, 0) > played_episode_seed(SEEDS - 1, 0)


def test_collections_of_different_seeds_share_no_episode() -> None:
    numbers = [0, 1, 2, 4999, SEEDS - 1]
    recorded = {recorded_episode_seed(seed, index) for seed in numbers for index in numbers}
    assert len(recorded) == len(numbers) ** 2


def test_the_generators_of_recorded_episodes_are_what_they_were() -> None:
    for purpose in OfEpisode:
        before = np.random.default_rng([2**32 + 5, int(purpose)])
        assert np.array_equal(episode_generator(2**32 + 5, purpose).random(5), before.random(5))
