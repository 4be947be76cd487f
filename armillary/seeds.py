"""The one way to seed what is drawn: pure functions of a run's seed, a number and a purpose."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

SEEDS = 2**32
"""A user's seeds lie below it."""


class OfVideo(IntEnum):
    """What is drawn for a video."""

    NOISE = 0
    """Of its imagined futures."""
    CHOICE = 1
    """Which future stands for it at random."""


class OfEpisode(IntEnum):
    """What is drawn for a recorded episode."""

    POLICY = 1
    ACTION_NOISE = 2


def video_seed(seed: int, video: int, purpose: OfVideo) -> int:
    """The seed, below 2^63, of a generator for one video, whoever shares its batch.

    Args:
        seed: of the run.
        video: its number.
        purpose: of the generator.
    """
    state = np.random.SeedSequence([seed, video, purpose]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def played_episode_seed(seed: int, index: int) -> int:
    """The seed of the environment and the agent in episode ``index`` of a benchmark."""
    return seed + index


def recorded_episode_seed(seed: int, index: int) -> int:
    """The seed of a recorded episode, in [2^32, 2^64 + 2^32).

    No benchmark poses what a model was trained on, and collections of different seeds have no
    episode in common.

    Args:
        seed: of the collection, below 2^32.
        index: of the episode, below 2^32.
    """
    return SEEDS * (1 + seed) + index


def episode_generator(episode_seed: int, purpose: OfEpisode) -> np.random.Generator:
    """What draws for one purpose in an episode of that seed."""
    return np.random.default_rng([episode_seed, purpose])
