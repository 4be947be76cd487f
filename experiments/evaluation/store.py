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

from armillary.archives import arrays
from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.videos import Scores
from armillary.files import replacing, write_json
from armillary.reading import read_json
from armillary.world_models.checkpoints.checkpoint import STATE_FILE
from armillary.world_models.data.identity import CONTENT_ID, changed

log = logging.getLogger(__name__)

PARTIAL, IDENTITY = "partial", "identity.json"
_DIGEST, _BYTES = "digest of data", "bytes of data"
"""What older evaluations say of their data, beside the name of the file."""
_OF_DATA = ("data", "former", _DIGEST, _BYTES)
_LATER = ("metrics", "model")
"""Parts of an identity that evaluations of before they were kept do not have."""


class Store:
    """One file for each finished video in ``output/partial``; a file that is there is whole.

    Args:
        output: the directory of the run.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._folder = output / PARTIAL

    def begun(self) -> dict[str, Any]:
        """The identity of the evaluation that it holds; empty where it holds none."""
        file = self._folder / IDENTITY
        return read_json(file, UsageError) if file.is_file() else {}

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Makes the store one of the evaluation ``identity``, JSON-able, unless it is one."""
        if not self.begun():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_json(self._folder / IDENTITY, identity)

    def has(self, video: int) -> bool:
        """Whether a video is finished; one whose file is damaged is not."""
        path = self._path(video)
        if not path.is_file():
            return False
        try:
            return bool(self.get(video))
        except ArmillaryError as error:
            log.warning("%s; its video is measured again", error)
            return False

    def put(self, video: int, scores: Scores) -> None:
        """Keeps what was measured of a video."""
        with replacing(self._path(video)) as partial, partial.open("wb") as file:
            np.savez(file, **scores)  # pyright: ignore[reportArgumentType]

    def get(self, video: int) -> Scores:
        """What was measured of a finished video; raises ArmillaryError if its file is damaged."""
        return {name: stored.whole() for name, stored in arrays(self._path(video)).items()}

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
        shutil.rmtree(self._folder, ignore_errors=True)

    def _arrays(self, videos: Sequence[int], name: str) -> Iterator[NDArray]:
        for video in videos:
            yield arrays(self._path(video), names=[name])[name].whole()

    def _path(self, video: int) -> Path:
        return self._folder / f"{video:06d}.npz"


def check_identity(
    output: Path, there: Mapping[str, Any], here: Mapping[str, Any], data_changed: bool = False
) -> str | None:
    """Whether the evaluation in a directory is the one that is wanted.

    Args:
        output: the directory, for messages.
        there: identity of the evaluation in it; empty where there is none.
        here: identity of the one that is wanted.
        data_changed: whether other data are meant.

    Returns:
        How its data differ, where that is meant; else None.

    Raises:
        UsageError: it is another evaluation.
    """
    if not there:
        return None
    there = {**there, "weights": _without_state(there.get("weights"))}
    for key in sorted({*there, *here} - {*_OF_DATA}):
        if there.get(key) != here.get(key) and (key in there or key not in _LATER):
            raise UsageError(
                f"output={output} holds another evaluation: {key} is {there.get(key)!r} there and "
                f"{here.get(key)!r} here; choose another directory"
            )
    told = _other_data(there, here)
    if told and not data_changed:
        raise UsageError(
            f"output={output} holds an evaluation of other data: {told}. Choose another "
            "directory, or data.changed=true to evaluate anew in this one"
        )
    return told


def data_in(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What an identity says of its data, also an older one: at least ``path``."""
    data = identity["data"]
    return {"path": data, CONTENT_ID: identity.get(_DIGEST)} if isinstance(data, str) else data


def _without_state(weights: Any) -> Any:
    """Digests of a checkpoint as they are kept now, without that of a file that holds times."""
    kept = weights.items() if isinstance(weights, dict) else ()
    return {name: digest for name, digest in kept if name != STATE_FILE} or weights


def _other_data(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    before, now = data_in(there), data_in(here)
    if before.get(CONTENT_ID):
        return changed(before, now)
    told = [(before["path"], there.get(_BYTES)), (Path(now["path"]).name, here.get(_BYTES))]
    if told[0] == told[1] or None in (told[0][1], told[1][1]):
        return None
    return " and ".join(
        f"{path} ({size} bytes) {where}"
        for (path, size), where in zip(told, ("there", "here"), strict=True)
    )
