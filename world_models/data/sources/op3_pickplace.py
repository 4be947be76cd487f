"""Block pick-and-place episodes as arrays in a NumPy archive (.npz)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from armillary.plugins import register
from armillary.suggestions import holds
from armillary.world_models.data.schema import DataError
from armillary.world_models.data.sources.source import Episode, Part, Source, stamp


@register("source", "op3_pickplace")
@dataclass(frozen=True)
class PickPlaceArchive(Source):
    """Episodes of OP3's block pick-and-place (Veerapaneni et al. 2019, arXiv:1910.12827).

    The archive holds ``frames`` [N, T, H, W, 3] uint8 and ``actions`` [N, T - 1, A] numbers; other
    arrays are left out. It knows no splits: all of it is train.
    """

    def parts(self) -> list[Part]:
        """The archive as one part: an array of it can only be read as a whole."""
        if not self.path.is_file():
            raise DataError(self.path, "there is no such file")
        return [Part("train", self.path, stamp(self.path))]

    def episodes(self, part: Part) -> Iterator[Episode]:
        """One episode for every row."""
        frames, actions = self._arrays()
        if frames.ndim != 5 or actions.ndim != 3 or len(frames) != len(actions):
            raise DataError(
                part.path,
                "frames must be [N, T, H, W, 3] and actions [N, T - 1, A], "
                f"got {frames.shape} and {actions.shape}",
            )
        yield from map(Episode, frames, actions)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        if not zipfile.is_zipfile(self.path):
            raise DataError(self.path, "this is no .npz archive, or its end is missing")
        with np.load(self.path, allow_pickle=False) as archive:
            missing = {"frames", "actions"} - {*archive}
            if missing:
                name = min(missing)
                raise DataError(self.path, f"there is no array {name!r}; {holds(name, archive)}")
            try:
                return archive["frames"], archive["actions"]
            except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
                raise DataError(self.path, f"an array is damaged ({error})") from error
