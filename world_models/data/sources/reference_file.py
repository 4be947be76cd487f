"""HDF5 files of episodes in either layout, such as the authors' towel-pick data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from armillary.plugins import register
from armillary.world_models.data.reader import EpisodeFile
from armillary.world_models.data.sources.source import Episode, Part, Source, read_episode, stamp

BLOCK = 256
"""Episodes per part."""


@register("source", "towel_pick")
@dataclass(frozen=True)
class ReferenceFile(Source):
    """A file that ``EpisodeFile`` reads; its splits, masks and further arrays are kept.

    Attributes:
        actions: whether to keep the actions.
        layout: see ``EpisodeFile``.
        scale: likewise.
    """

    actions: bool = True
    layout: str | None = None
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            object.__setattr__(self, "scale", tuple(self.scale))

    def opened(self) -> EpisodeFile:
        """The file, checked."""
        return EpisodeFile(self.path, actions=self.actions, layout=self.layout, scale=self.scale)

    def parts(self) -> list[Part]:
        """Blocks of consecutive episodes of every split."""
        splits = self.opened().splits
        return [
            Part(name, self.path, stamp(self.path), start, min(start + BLOCK, info.episodes))
            for name, info in splits.items()
            for start in range(0, info.episodes, BLOCK)
        ]

    def episodes(self, part: Part) -> Iterator[Episode]:
        """Frames become uint8 and masks label maps, whatever is stored."""
        split = _opened(self, part.stamp).split(part.split)
        for episode in range(part.start, len(split) if part.stop is None else part.stop):
            yield read_episode(split, episode)


@lru_cache(maxsize=1)
def _opened(source: ReferenceFile, stamp: str) -> EpisodeFile:
    """The file, checked once in every process as long as it stays the same."""
    return source.opened()
