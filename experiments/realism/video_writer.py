"""Writes an HDF5 file of videos: whole or not there, and continued after an interruption."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from armillary.errors import DataError
from armillary.experiments.command.errors import UsageError
from armillary.files import check_replaceable, settle
from armillary.hdf5 import BusyError, look
from armillary.hdf5_writing import CHECKSUM, create, finish, reserve

log = logging.getLogger(__name__)

FORMAT, FORMAT_VERSION = "armillary-videos", 1
VIDEOS = "videos"

Attribute = str | int | float | bool
Arrays = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape of one video's entry and type of every array, by name."""

PLACE = "data"
"""The attribute that says where the data lay; a file is gone on with wherever they lie now."""
_DONE = ".done"
_INDEX = 128
"""Bytes that the place of a chunk takes in the index of an array, at most."""


class VideoWriter:
    """A file whose arrays all start with [N], filled in any order, in place only when it is whole.

    It is filled under a temporary name beside ``path``. All arrays have their final size and their
    room on the disk from the beginning, so that a disk that is too small shows before any work, and
    a killed process leaves a file that can be opened; a writer with the same attributes and arrays
    goes on with it. What belongs to a video is a chunk with a checksum (fletcher32).

    Args:
        path: of the file.
        count: N.
        arrays: what is stored for each video.
        attributes: of the file; ``format`` and ``format_version`` are added.
        overwrite: whether a file in the place may be replaced.
        resume: whether to go on with an interrupted file.

    Attributes:
        finished: whether the file is there already, and would not be overwritten.

    Raises:
        UsageError: the place is taken.
        RunError: on entering, the disk is full.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        arrays: Arrays,
        attributes: Mapping[str, Attribute],
        *,
        overwrite: bool,
        resume: bool,
    ) -> None:
        check_replaceable(path)
        self.path = path
        self._partial = _partial(path)
        self._count = count
        self._arrays = {**arrays, _DONE: ((), "uint8")}
        self._attributes = {"format": FORMAT, "format_version": FORMAT_VERSION, **attributes}
        self._resume = resume
        self.finished = path.exists() and resume and not overwrite and self._is_whole()
        if path.exists() and not overwrite and not self.finished:
            raise UsageError(f"output={path} exists; choose another file or add overwrite=true")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        continued = self._continued() if self._partial.exists() else None
        self._file = self._created() if continued is None else continued
        if continued is not None:
            done = self._count - len(self.missing())
            log.info("going on after %d of %d videos", done, self._count)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        missing = len(self.missing())
        if not missing:
            del self._file[_DONE]
        finish(self._file)
        if not missing:
            settle(self._partial, self.path)
        elif missing == self._count:
            self._partial.unlink()  # nothing that could be gone on with

    def missing(self) -> NDArray[np.int64]:
        """The videos that are not written yet, in order."""
        done = self._dataset(_DONE)[()]
        return np.flatnonzero(done == 0)

    def write(self, rows: NDArray[np.int64], arrays: Mapping[str, NDArray]) -> None:
        """Stores some videos.

        Args:
            rows: ascending indices of the videos.
            arrays: all arrays of these videos by name, (len(rows), ...).
        """
        for name, values in arrays.items():
            dataset = self._dataset(name)
            assert values.shape == (len(rows), *dataset.shape[1:]), (name, values.shape)
            dataset[rows] = values
        self._file.flush()
        self._dataset(_DONE)[rows] = 1
        self._file.flush()

    def _dataset(self, name: str) -> h5py.Dataset:
        dataset = self._file[name]
        assert isinstance(dataset, h5py.Dataset)
        return dataset

    def _continued(self) -> h5py.File | None:
        """The interrupted file, or None where it belongs to something else."""
        try:
            attributes = look(self._partial)
        except BusyError as error:
            raise UsageError(f"output={self.path} is being written by another process") from error
        except DataError as error:
            log.warning("%s, starting anew", error)
            return None
        file = h5py.File(self._partial, "r+", rdcc_nbytes=0)
        if self._resume and self._is_of(attributes, file, self._shapes()):
            return file
        if self._resume:
            log.info("%s was begun with other settings; starting anew", self._partial)
        file.close()
        return None

    def _is_whole(self) -> bool:
        """Whether the file in the place is what this writer would write."""
        try:
            attributes = look(self.path)
        except DataError:
            return False
        with h5py.File(self.path, "r", rdcc_nbytes=0) as file:
            wanted = {n: s for n, s in self._shapes().items() if n != _DONE}
            return self._is_of(attributes, file, wanted)

    def _is_of(self, attributes: Mapping[str, Attribute], file: h5py.File, shapes: Arrays) -> bool:
        """Whether a file has our attributes, except for the place of the data, and these arrays."""
        known = {
            name: (tuple(dataset.shape), dataset.dtype.str)
            for name, dataset in file.items()
            if isinstance(dataset, h5py.Dataset)
        }
        here = {**self._attributes, PLACE: attributes.get(PLACE)}
        return {PLACE: None, **attributes} == here and known == shapes

    def _created(self) -> h5py.File:
        try:
            file = create(self._partial, self._attributes, "earliest")
            try:
                for name, (shape, kind) in self._shapes().items():
                    self._allocate(file, name, shape, np.dtype(kind))
                file.flush()
            except BaseException:
                finish(file)
                raise
        except BaseException:
            self._partial.unlink(missing_ok=True)
            raise
        return file

    def _allocate(self, file: h5py.File, name: str, shape: tuple[int, ...], kind: np.dtype) -> None:
        """Makes an array whose place in the file does not change any more."""
        reserve(file, self._count * (math.prod(shape[1:]) * kind.itemsize + CHECKSUM + _INDEX))
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        early.set_obj_track_times(False)  # the same videos are the same bytes
        if name != _DONE and math.prod(shape):  # a byte cannot be half written, or there is none
            early.set_chunk((1, *shape[1:]))
            early.set_fletcher32()
        h5py.h5d.create(
            file.id,
            name.encode(),
            h5py.h5t.py_create(kind, logical=True),
            h5py.h5s.create_simple(shape),
            early,
        )

    def _shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        return {
            name: ((self._count, *shape), np.dtype(kind).str)
            for name, (shape, kind) in self._arrays.items()
        }


def begun(path: Path) -> dict[str, Attribute]:
    """The attributes of an interrupted file for the place ``path``; empty where there is none."""
    try:
        return look(_partial(path))
    except (DataError, OSError):
        return {}


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
