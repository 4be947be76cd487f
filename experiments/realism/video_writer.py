"""Writes an HDF5 file of videos: whole or not there, and continued after an interruption."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from armillary.errors import DataError
from armillary.experiments.command.errors import UsageError
from armillary.files import check_replaceable, settle
from armillary.hdf5.array import Array
from armillary.hdf5.file import BusyError, File, look
from armillary.hdf5.writing import WrittenFile

log = logging.getLogger(__name__)

FORMAT, FORMAT_VERSION = "armillary-videos", 1
VIDEOS = "videos"

Attribute = str | int | float | bool
Arrays = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape of one video's entry and type of every array, by name."""

PLACE = "data"
"""The attribute that says where the data lay; a file is gone on with wherever they lie now."""
_DONE = ".done"


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
        if self._partial.exists() and self._can_go_on():
            self._file = WrittenFile(self._partial, "earliest", "r+").__enter__()
            with self._file.step() as file:
                self._done = _dataset(file, _DONE)[()].astype(bool)
            log.info("going on after %d of %d videos", self._done.sum(), self._count)
        else:
            self._file = self._created()
            self._done = np.zeros(self._count, bool)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            stack.push(self._file)
            if self._done.all():
                with self._file.step() as file:
                    del file[_DONE]
        if self._done.all():
            settle(self._partial, self.path)
        elif not self._done.any():
            self._partial.unlink()  # nothing that could be gone on with

    def missing(self) -> NDArray[np.int64]:
        """The videos that are not written yet, in order."""
        return np.flatnonzero(~self._done)

    def write(self, rows: NDArray[np.int64], arrays: Mapping[str, NDArray]) -> None:
        """Stores some videos.

        Args:
            rows: ascending indices of the videos.
            arrays: all arrays of these videos by name, (len(rows), ...).

        Raises:
            RunError: the disk is full.
        """
        with self._file.step() as file:
            for name, values in arrays.items():
                dataset = _dataset(file, name)
                assert values.shape == (len(rows), *dataset.shape[1:]), (name, values.shape)
                # Of another type, h5py would read what is replaced, which may be half written.
                dataset[rows] = values.astype(dataset.dtype, copy=False)
            file.flush()
        with self._file.step() as file:
            _dataset(file, _DONE)[rows] = 1
            file.flush()
        self._done[rows] = True

    def _can_go_on(self) -> bool:
        """Whether there is the beginning of the same file."""
        try:
            same = self._is_of(self._partial, self._shapes())
        except BusyError as error:
            raise UsageError(f"output={self.path} is being written by another process") from error
        except DataError as error:
            log.warning("%s, starting anew", error)
            return False
        if self._resume and not same:
            log.info("%s was begun with other settings; starting anew", self._partial)
        return self._resume and same

    def _is_whole(self) -> bool:
        """Whether the file in the place is what this writer would write."""
        try:
            return self._is_of(self.path, {n: s for n, s in self._shapes().items() if n != _DONE})
        except DataError:
            return False

    def _is_of(self, path: Path, shapes: Arrays) -> bool:
        """Whether a file has our attributes, except for the place of the data, and these arrays."""
        with closing(File(path)) as file:
            arrays = {name: array for name, array in file.items() if isinstance(array, Array)}
            known = {name: (array.shape, array.dtype.str) for name, array in arrays.items()}
            here = {**self._attributes, PLACE: file.attrs.get(PLACE)}
            return {PLACE: None, **file.attrs} == here and known == shapes

    def _created(self) -> WrittenFile:
        try:
            with ExitStack() as stack:
                written = stack.enter_context(WrittenFile(self._partial, "earliest"))
                written.set(self._attributes)
                with written.step() as file:
                    for name, (shape, kind) in self._shapes().items():
                        _allocate(file, name, shape, np.dtype(kind))
                    file.flush()
                stack.pop_all()
        except BaseException:
            self._partial.unlink(missing_ok=True)
            raise
        return written

    def _shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        return {
            name: ((self._count, *shape), np.dtype(kind).str)
            for name, (shape, kind) in self._arrays.items()
        }


def _allocate(file: h5py.File, name: str, shape: tuple[int, ...], kind: np.dtype) -> None:
    """Makes an array whose place in the file does not change any more."""
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_obj_track_times(False)  # the same videos are the same bytes
    if name != _DONE and math.prod(shape):  # a byte cannot be half written, or there is none
        early.set_chunk((1, *shape[1:]))
        early.set_fletcher32()
    kinds, space = h5py.h5t.py_create(kind, logical=True), h5py.h5s.create_simple(shape)
    h5py.h5d.create(file.id, name.encode(), kinds, space, early)


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    dataset = file[name]
    assert isinstance(dataset, h5py.Dataset)
    return dataset


def begun(path: Path) -> dict[str, Attribute]:
    """The attributes of an interrupted file for the place ``path``; empty where there is none."""
    try:
        return look(_partial(path))
    except (DataError, OSError):
        return {}


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
