"""Divides files of videos into populations, and refuses those that cannot be compared."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.video_file import VideoFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Population:
    """Some videos of a file.

    Attributes:
        file: that holds them.
        rows: which ones, ascending.
    """

    file: VideoFile
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


def divide(
    files: Sequence[VideoFile], populations: int, videos: int | None, seed: int
) -> list[Population]:
    """Draws disjoint populations.

    Args:
        files: one to take all populations from, or one for each population.
        populations: how many.
        videos: of each; ``None`` takes as many as every file has for each.
        seed: of the draw.

    Raises:
        UsageError: there are not that many files or videos.
    """
    if len(files) not in (1, populations):
        raise UsageError(
            f"populations={populations} needs one file or {populations} of them, got {len(files)}"
        )
    share = populations // len(files)
    count = min(map(len, files)) // share if videos is None else videos
    drawn: list[Population] = []
    for file in files:
        if not 1 <= count * share <= len(file):
            raise UsageError(
                f"{file.path} has {len(file)} videos, too few for {share} populations of "
                f"{count or 1}; generate more or choose a smaller videos="
            )
        order = np.random.default_rng(seed).permutation(len(file))
        drawn += [
            Population(file, np.sort(order[index * count : (index + 1) * count]))
            for index in range(share)
        ]
    return drawn


def check_comparable(real: Sequence[Population], generated: Sequence[Population]) -> None:
    """Looks at every video once.

    Raises:
        UsageError: videos differ in frames, height or width, have values outside 0..255, or two
            populations that are to show a spread are the same videos.
    """
    files = {population.file.path: population.file for population in (*real, *generated)}
    first = real[0].file
    for file in files.values():
        if file.shape[1:] != first.shape[1:]:
            raise UsageError(
                "all videos must have the same frames, height and width: "
                f"{first.path} has {_sizes(first)}, {file.path} {_sizes(file)}"
            )
    digests = {path: file.digests() for path, file in files.items()}
    for side, populations in (("real", real), ("generated", generated)):
        seen: dict[frozenset[bytes], int] = {}
        for index, population in enumerate(populations):
            videos = frozenset(digests[population.file.path][row] for row in population.rows)
            if len(videos) < len(population):
                log.warning(
                    "%s population %d has %d videos but only %d different ones",
                    side,
                    index,
                    len(population),
                    len(videos),
                )
            if videos in seen:
                raise UsageError(
                    f"{side} populations {seen[videos]} and {index} are the same videos, so their "
                    "spread would mean nothing; armillary generate draws others for another seed"
                )
            seen[videos] = index
    if len(real[0]) != len(generated[0]):
        log.warning(
            "real populations have %d videos and generated ones %d: the distance depends on both",
            len(real[0]),
            len(generated[0]),
        )


def _sizes(file: VideoFile) -> str:
    _, frames, height, width, _ = file.shape
    return f"{frames} frames of {height} x {width}"
