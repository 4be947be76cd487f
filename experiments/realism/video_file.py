"""Reads HDF5 files of videos, ours or others', and refuses what is not videos in 0..255."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.video_writer import FORMAT, VIDEOS, Attribute
from armillary.hdf5.array import Array
from armillary.hdf5.file import File
from armillary.suggestions import listed

_CHECKED_AT_A_TIME = 64


class VideoFile:
    """An HDF5 file with ``videos`` [N, T, H, W, 3] in 0..255, uint8 or floating point.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        attributes: of a file of ``armillary generate`` as plain values, else empty.
        shape: (N, T, H, W, 3).

    Raises:
        UsageError: the file holds no such videos.
        DataError: it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        file = File(path)
        found = file.get(VIDEOS)
        if not isinstance(found, Array):
            raise UsageError(
                f"{path}: there is no array {VIDEOS!r} [N, T, H, W, 3], the file holds "
                f"{listed(file, 'nothing')}; "
                "armillary generate writes such files"
            )
        if found.ndim != 5 or found.shape[-1] != 3:
            raise self._error("must be shaped [N, T, H, W, 3]", found.shape)
        if found.dtype != np.uint8 and found.dtype.kind != "f":
            raise self._error("must be uint8 or floating point", found.dtype)
        if min(found.shape) < 1:
            raise self._error("must hold at least one video", found.shape)
        if found.shape[1] < 2:
            raise self._error("must have at least 2 frames each", f"{found.shape[1]}")
        self._videos = found
        self.shape: tuple[int, ...] = found.shape
        ours = file.attrs.get("format") == FORMAT
        self.attributes: dict[str, Attribute] = file.attrs if ours else {}

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows), T, H, W, 3) in 0..255; ``rows`` is ascending. Raises DataError if damaged."""
        return self._videos[rows].astype(np.float32)

    def digests(self) -> list[bytes]:
        """Looks at every video once: the SHA-256 of each.

        Raises:
            UsageError: a value is NaN or outside 0..255, or no value is above 1.
            DataError: a video is damaged.
        """
        digests: list[bytes] = []
        highest = 0.0
        for start in range(0, len(self), _CHECKED_AT_A_TIME):
            videos = self.read(np.arange(start, min(start + _CHECKED_AT_A_TIME, len(self))))
            for index, video in enumerate(videos, start):
                low, high = float(video.min()), float(video.max())
                # Negated so that NaN is caught too.
                if not (low >= 0 and high <= 255):
                    raise self._error(
                        "must lie in 0..255 without NaN", f"{low:g} to {high:g} in video {index}"
                    )
                highest = max(highest, high)
                digests.append(sha256(video.tobytes()).digest())
        if highest == 0:
            raise self._error("must show something", "frames that are all black")
        if highest <= 1:
            raise self._error(
                "must use the range 0..255", f"a maximum of {highest:g}: multiply them by 255"
            )
        return digests

    def _error(self, wanted: str, found: object) -> UsageError:
        return UsageError(f"{self.path}: {VIDEOS} {wanted}, got {found}")
