"""Draws which clips of a split are used: random episodes and start frames, by a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armillary.experiments.command.errors import UsageError


@dataclass(frozen=True)
class Clips:
    """Which clips, in the order of their videos.

    Attributes:
        episodes: (N,) int64.
        starts: (N,) int64, the first frame of each clip in its episode.
    """

    episodes: NDArray[np.int64]
    starts: NDArray[np.int64]


def draw_clips(episodes: int, starts: int, count: int | None, seed: int) -> Clips:
    """Draws distinct clips, none from an episode again before every episode had its turn.

    Args:
        episodes: how many episodes there are, at least 1.
        starts: how many frames of an episode a clip can start at, at least 1.
        count: N; ``None`` draws one clip of every episode.
        seed: other seeds draw other clips.

    Raises:
        UsageError: there are not that many clips.
    """
    count = episodes if count is None else count
    if not 1 <= count <= episodes * starts:
        raise UsageError(
            f"videos must be in 1..{episodes * starts}: {episodes} episodes have {starts} clips of "
            f"this length each; got {count}"
        )
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(starts), (episodes, 1)), axis=1)
    passes = -(-count // episodes)
    drawn = np.concatenate([rng.permutation(episodes) for _ in range(passes)])[:count]
    turn = np.arange(count) // episodes
    return Clips(drawn, orders[drawn, turn])
