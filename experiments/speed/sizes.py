"""How much ``armillary bench`` measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The sizes of all rows.

    Attributes:
        rounds: in each of which everything in a row is timed once.
        least: seconds that a timing takes, by as many calls as that needs.
        published: whether models have their published sizes, at 64 px; else toy ones, at 16 px.
        candidates: S of plans.
        decoded: S where imagined frames are decoded.
        horizon: T of plans.
        iterations: of a plan's search.
        problems: B of plans.
        clips: of a published model's training step.
        steps: of the trainer in a round; ours are quick, and more of them are done.
        search: iterations of a search on a trivial score.
        searched: problems of such a search, and its horizon.
        episodes: in the file that windows are read from.
        length: frames of each.
        windows: read in a call.
        workers: processes that read.
        videos: evaluated in a call.
        rollouts: of each of them.
        every: whether rows that take long are measured for every model.
        factors: by which sizes grow to see how time does.
        copied: bytes whose copy is a ceiling.
    """

    rounds: int = 3
    least: float = 0.05
    published: bool = True
    candidates: int = 300
    decoded: int = 4
    horizon: int = 8
    iterations: int = 10
    problems: Sequence[int] = (1, 4)
    clips: int = 1
    steps: int = 2
    search: int = 30
    searched: Sequence[tuple[int, int]] = ((1, 5), (1, 12), (50, 5))
    episodes: int = 300
    length: int = 30
    windows: int = 64
    workers: Sequence[int] = (0, 1, 2)
    videos: int = 2
    rollouts: int = 10
    every: bool = False
    factors: Sequence[int] = (1, 2, 4)
    copied: int = 2**26


SIZES = {
    "smoke": Size(
        rounds=1,
        least=0.0,
        published=False,
        candidates=8,
        decoded=2,
        horizon=2,
        iterations=2,
        problems=(1, 2),
        clips=1,
        steps=2,
        search=2,
        searched=((1, 3), (2, 3)),
        episodes=3,
        length=12,
        windows=16,
        workers=(0, 1),
        videos=1,
        rollouts=2,
        factors=(1, 2),
        copied=2**20,
    ),
    "default": Size(),
    "full": Size(
        rounds=5,
        least=0.2,
        decoded=100,
        problems=(1, 50),
        clips=16,
        steps=4,
        every=True,
        episodes=600,
        workers=(0, 1, 2, 4),
        videos=4,
        rollouts=100,
        factors=(1, 2, 4, 8),
        copied=2**28,
    ),
}
"""For a look that all works, for an idea, and at the published sizes."""
