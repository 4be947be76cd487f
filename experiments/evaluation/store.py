"""What an evaluation keeps of finished videos, so that it can be interrupted and go on."""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.videos import Scores
from armillary.files import replacing, write_json
from armillary.reading import read_json, reading

log = logging.getLogger(__name__)

PARTIAL, IDENTITY = "partial", "identity.json"
DIGEST = "digest of data"
_LATER = (DIGEST, "metrics")
"""Parts of an identity that evaluations of before they were kept do not have."""


class Store:
    """One file for each finished video in ``output/partial``; a file that is there is whole.

    Args:
        output: the directory of the run.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._folder = output / PARTIAL

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Makes the store one of the evaluation ``identity``, JSON-able.

        Raises:
            UsageError: it holds another evaluation.
        """
        file = self._folder / IDENTITY
        if file.is_file():
            check_identity(self._output, read_json(file, UsageError), identity)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        write_json(file, identity)

    def has(self, video: int) -> bool:
        """Whether a video is finished; one whose file is damaged is not."""
        path = self._path(video)
        if not path.is_file():
            return False
        try:
            with reading(path, "is damaged, so its video is measured again"):
                return bool(self.get(video))
        except ArmillaryError as error:
            log.warning("%s", error)
            return False

    def put(self, video: int, scores: Scores) -> None:
        """Keeps what was measured of a video."""
        with replacing(self._path(video)) as partial, partial.open("wb") as file:
            np.savez(file, **scores)  # pyright: ignore[reportArgumentType]

    def get(self, video: int) -> Scores:
        """What was measured of a finished video."""
        with np.load(self._path(video)) as arrays:
            return dict(arrays)

    def gather(self, path: Path, videos: Sequence[int], more: Mapping[str, NDArray]) -> None:
        """Writes all videos into one npz file, holding one video in memory at a time.

        Args:
            path: of the file.
            videos: V of them, the first dimension of every array of the file.
            more: further arrays.
        """
        first = self.get(videos[0])
        with (
            replacing(path) as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, array in more.items():
                with archive.open(f"{name}.npy", "w") as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
            for name, array in first.items():
                header = {
                    "descr": np.lib.format.dtype_to_descr(array.dtype),
                    "fortran_order": False,
                    "shape": (len(videos), *array.shape),
                }
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array_header_1_0(entry, header)
                    for part in self._arrays(videos, name):
                        entry.write(np.ascontiguousarray(part).tobytes())

    def remove(self) -> None:
        """Forgets everything."""
        shutil.rmtree(self._folder)

    def _arrays(self, videos: Sequence[int], name: str) -> Iterator[NDArray]:
        for video in videos:
            with np.load(self._path(video)) as arrays:
                yield arrays[name]

    def _path(self, video: int) -> Path:
        return self._folder / f"{video:06d}.npz"


def check_identity(output: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Raises UsageError if the evaluation in a directory is not the one that is wanted."""
    for key in sorted({*there, *here}):
        if there.get(key) != here.get(key) and (key in there or key not in _LATER):
            raise UsageError(
                f"output={output} holds another evaluation: {key} is {there.get(key)!r} there and "
                f"{here.get(key)!r} here; choose another directory"
            )
