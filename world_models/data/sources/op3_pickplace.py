"""Block pick-and-place episodes as arrays in a NumPy archive (.npz)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from armillary.archives import arrays
from armillary.plugins import register
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
        """The archive as one part: it can only be read from its beginning."""
        if not self.path.is_file():
            raise DataError(self.path, "there is no such file")
        return [Part("train", self.path, stamp(self.path))]

    def episodes(self, part: Part) -> Iterator[Episode]:
        """One episode for every row."""
        frames, actions = arrays(part.path, DataError, ("frames", "actions")).values()
        shapes = (frames.shape, actions.shape)
        if [len(shape) for shape in shapes] != [5, 3] or frames.shape[0] != actions.shape[0]:
            raise DataError(
                part.path,
                "frames must be [N, T, H, W, 3] and actions [N, T - 1, A], "
                f"got {frames.shape} and {actions.shape}",
            )
        yield from map(Episode, frames.rows(), actions.rows())
