"""The contract of a data set that can be converted: its parts, and the episodes of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from armillary.world_models.data.split import Split


@dataclass(frozen=True)
class Episode:
    """One episode as ``EpisodeWriter.add`` takes it.

    Attributes:
        frames: (T, H, W, 3) uint8.
        actions: (T - 1, A) numbers, A = 0 for action-free data.
        masks: (T, H, W) uint8 labels, or None.
        extras: further arrays (T, ...) by name.
    """

    frames: np.ndarray
    actions: np.ndarray
    masks: np.ndarray | None = None
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A piece of a data set that is converted, and after an interruption kept, as a whole.

    Attributes:
        split: the split that its episodes belong to in the data set: train, val or test.
        path: of the file that holds it.
        stamp: changes whenever the file does.
        start: its first episode in the file.
        stop: the episode after its last one; None reads to the end of the file.
        expected: how many episodes there should be; None if nothing says so.
    """

    split: str
    path: Path
    stamp: str
    start: int = 0
    stop: int | None = None
    expected: int | None = None


@dataclass(frozen=True)
class Source(ABC):
    """A data set in a format of its own. Picklable: parts are read in several processes.

    Attributes:
        path: of the file or folder.
        name: of the data set.
        policy: what chose the actions.
        action_meaning: what the numbers of an action mean, with units.
    """

    path: Path
    name: str
    policy: str
    action_meaning: str

    @abstractmethod
    def parts(self) -> list[Part]:
        """The parts in the order of the data set; reads no episode.

        Raises:
            DataError: the path does not hold such a data set.
        """

    @abstractmethod
    def episodes(self, part: Part) -> Iterator[Episode]:
        """The episodes of a part in their order.

        Raises:
            DataError: the file is damaged or holds something else.
        """


def read_episode(split: Split, index: int) -> Episode:
    """An episode of a file in one of our layouts, with all that is stored of it."""
    return Episode(
        split.frames(index),
        split.actions(index),
        split.labels(index) if split.has_masks else None,
        {name: split.extra(name, index) for name in split.info.extras},
    )


def stamp(path: Path) -> str:
    """What changes when a file is replaced: its size in bytes and the time of its last change."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
