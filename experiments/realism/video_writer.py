"""Writes an HDF5 file of videos; batches wait in a folder beside it until all are there."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from armillary.errors import DataError
from armillary.experiments.command.errors import UsageError
from armillary.files import check_replaceable, replacing
from armillary.hdf5.array import Array
from armillary.hdf5.file import File
from armillary.hdf5.writing import WrittenFile
from armillary.world_models.data.pieces import digest, pieces_folder, waiting

log = logging.getLogger(__name__)

FORMAT, FORMAT_VERSION = "armillary-videos", 1
VIDEOS = "videos"

Attribute = str | int | float | bool
Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape of one video's entry and type of every array, by name."""
Arrays = Mapping[str, NDArray]

PLACE = "data"
"""The attribute that says where the data lay; a file is gone on with wherever they lie now."""
_ROWS = ".rows"
"""The array of a piece that says which videos it holds."""


class VideoWriter:
    """A file whose arrays all start with [N], filled in any order, in place only when it is whole.

    Every batch is a file of its own in the folder ``.NAME.parts`` beside NAME, so that a killed
    process leaves whole batches; a writer with the same attributes and arrays goes on with them.
    What belongs to a video is a chunk with a checksum (fletcher32).

    Args:
        path: of the file.
        count: N.
        arrays: what is stored for each video.
        attributes: of the file; ``format`` and ``format_version`` are added.
        overwrite: whether a file in the place may be replaced.
        resume: whether to go on with batches that are there.

    Attributes:
        finished: whether the file is there already, and would not be overwritten.

    Raises:
        UsageError: the place is taken.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        arrays: Shapes,
        attributes: Mapping[str, Attribute],
        *,
        overwrite: bool,
        resume: bool,
    ) -> None:
        check_replaceable(path)
        self.path = path
        self._count, self._resume = count, resume
        self._shapes = {name: (shape, np.dtype(kind).str) for name, (shape, kind) in arrays.items()}
        self._attributes = {"format": FORMAT, "format_version": FORMAT_VERSION, **attributes}
        same = {name: value for name, value in self._attributes.items() if name != PLACE}
        self._identity = digest(count, sorted(self._shapes.items()), sorted(same.items()))[:24]
        self.finished = path.exists() and resume and not overwrite and self._is_whole()
        if path.exists() and not overwrite and not self.finished:
            raise UsageError(f"output={path} exists; choose another file or add overwrite=true")

    @contextmanager
    def open(self) -> Iterator[Self]:
        """For a block that writes what is missing, after which the file is there.

        Raises:
            RunError: the disk is full; batches that are whole are kept.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with waiting(self.path) as folder:
            self._folder, self._pieces = folder, {}
            for piece in sorted(folder.iterdir()):
                self._take(piece)
            if self._pieces:
                log.info("going on after %d of %d videos", len(self._pieces), self._count)
            yield self
            _store(self.path, self._count, self._shapes, self._attributes, self._joined())

    def missing(self) -> NDArray[np.int64]:
        """The videos that are not written yet, in order."""
        return np.array([row for row in range(self._count) if row not in self._pieces], np.int64)

    def write(self, rows: NDArray[np.int64], arrays: Arrays) -> None:
        """Stores some videos.

        Args:
            rows: ascending indices of the videos.
            arrays: all arrays of these videos by name, (len(rows), ...).

        Raises:
            RunError: the disk is full.
        """
        for name, (shape, _) in self._shapes.items():
            assert arrays[name].shape == (len(rows), *shape), (name, arrays[name].shape)
        piece = self._folder / f"{self._identity}-{rows[0]}.h5"
        kept, place = {**arrays, _ROWS: rows}, np.arange(len(rows))
        _store(piece, len(rows), self._of_piece(), self._attributes, [(place, kept)])
        self._pieces |= dict.fromkeys(rows.tolist(), piece)

    def _of_piece(self) -> Shapes:
        return {**self._shapes, _ROWS: ((), "<i8")}

    def _take(self, piece: Path) -> None:
        """Looks at a piece, and removes what is of no use."""
        rows = None
        if self._resume and piece.name.startswith(self._identity):
            try:
                rows = self._read(piece)[_ROWS]
            except DataError as error:
                log.warning("%s; it is made again", error)
        if rows is None:
            piece.unlink()
        else:
            self._pieces |= dict.fromkeys(rows.tolist(), piece)

    def _read(self, piece: Path) -> dict[str, NDArray]:
        """All arrays of a piece; raises DataError if they are not what was written."""
        shapes, read = self._of_piece(), {}
        with closing(File(piece)) as file:
            for name, array in file.items():
                entry = (array.shape[1:], array.dtype.str) if isinstance(array, Array) else None
                if isinstance(array, Array) and entry == shapes.get(name):
                    read[name] = array[:]
        rows = read.get(_ROWS, np.empty(0, np.int64))
        known = np.isin(rows, np.arange(self._count)).all() and (np.diff(rows) > 0).all()
        if not (len(rows) and known and [*map(len, read.values())] == [len(rows)] * len(shapes)):
            raise DataError(piece, "this is no batch of these videos")
        return read

    def _joined(self) -> Iterator[tuple[NDArray[np.int64], Arrays]]:
        """All videos one by one, so that the bytes are the same however they came."""
        for piece, rows in groupby(range(self._count), self._pieces.__getitem__):
            read = self._read(piece)
            for row in rows:
                at = np.flatnonzero(read[_ROWS] == row)
                yield read[_ROWS][at], {name: read[name][at] for name in self._shapes}

    def _is_whole(self) -> bool:
        """Whether the file in the place is what this writer would write."""
        try:
            with closing(File(self.path)) as file:
                arrays = {name: array for name, array in file.items() if isinstance(array, Array)}
                known = {name: (array.shape, array.dtype.str) for name, array in arrays.items()}
                here = {**self._attributes, PLACE: file.attrs.get(PLACE)}
                wanted = {n: ((self._count, *s), kind) for n, (s, kind) in self._shapes.items()}
                return {PLACE: None, **file.attrs} == here and known == wanted
        except DataError:
            return False


def begun(path: Path) -> dict[str, Attribute]:
    """The attributes of a file that was begun for the place ``path``; empty where there is none."""
    for piece in sorted(pieces_folder(path).glob("*.h5")):
        try:
            with closing(File(piece)) as file:
                return file.attrs
        except DataError:
            continue
    return {}


def _store(
    path: Path,
    count: int,
    shapes: Shapes,
    attributes: Mapping[str, Attribute],
    entries: Iterable[tuple[NDArray[np.int64], Arrays]],
) -> None:
    """Writes a whole file: arrays [count, ...], of which each entry gives some rows."""
    with replacing(path) as partial, WrittenFile(partial) as written:
        written.set(attributes)
        with written.step() as file:
            for name, (shape, kind) in shapes.items():
                _make(file, name, (count, *shape), np.dtype(kind))
        for rows, arrays in entries:
            with written.step() as file:
                for name in shapes:
                    dataset = file[name]
                    assert isinstance(dataset, h5py.Dataset)
                    dataset[rows] = arrays[name]


def _make(file: h5py.File, name: str, shape: tuple[int, ...], kind: np.dtype) -> None:
    """Makes an array; the same videos are the same bytes."""
    checked = {"chunks": (1, *shape[1:]), "fletcher32": True} if math.prod(shape) else {}
    file.create_dataset(name, shape, kind, track_times=False, **checked)
