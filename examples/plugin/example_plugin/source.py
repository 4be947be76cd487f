"""A data source: a folder of .npz files, one for each episode."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from armillary import DataError
from armillary.plugins import register
from armillary.world_models.data.sources.source import Episode, Part, Source, stamp


@register("source", "example_plugin")
@dataclass(frozen=True)
class EpisodeFolder(Source):
    """Files with ``frames`` [T, H, W, 3] uint8 and ``actions`` [T - 1, A]; all of them train."""

    name: str = "example_plugin"
    policy: str = "unknown"
    action_meaning: str = "unknown"

    def parts(self) -> list[Part]:
        """One part for every file, by name."""
        files = sorted(self.path.glob("*.npz"))
        if not files:
            raise DataError(self.path, "there is no folder with files *.npz")
        return [Part("train", file, stamp(file), expected=1) for file in files]

    def episodes(self, part: Part) -> Iterator[Episode]:
        """The one episode of a file."""
        try:
            with np.load(part.path, allow_pickle=False) as archive:
                yield Episode(archive["frames"], archive["actions"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(part.path, f"this is no episode: {error}") from error
