"""Arrays of an open HDF5 file, read with their checksums verified once and their sizes bounded."""

# h5py has no types for its lower level.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5z

from armillary.errors import ArmillaryError, DataError
from armillary.hdf5.probe import DAMAGES

NUMBERS = "biuf"
"""Kinds of NumPy types that are read."""
_RATIOS = {h5z.FILTER_SHUFFLE: 1, h5z.FILTER_FLETCHER32: 1, h5z.FILTER_DEFLATE: 1100}
"""How many times smaller a filter can make data at best; deflate by its format."""
_ANY_RATIO = 2**16
"""The same for compressors that are not known here."""
_FILTER_FAILED = "filter returned failure during read"
_RAISED = (*DAMAGES, ValueError)
_MEANT = "its checksum is another than when it was written, or it cannot be unpacked"


class Storage:
    """An open file as its groups and arrays share it.

    Attributes:
        path: of the file.
        file: open for reading.
        size: in bytes, when it was opened.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self.file = file
        self.descriptor = file.id.get_vfd_handle()
        self.size = os.fstat(self.descriptor).st_size

    def close(self) -> None:
        """Closes the file."""
        self.file.close()

    def error(self, message: str) -> DataError:
        """An error that names the file."""
        return DataError(self.path, message)

    def check_size(self) -> None:
        """Raises DataError if the file was cut or grew: libhdf5 reads zeros behind the end."""
        size = os.fstat(self.descriptor).st_size
        if size != self.size:
            raise self.error(
                f"the file was changed while it was read: it had {self.size:,} bytes and has "
                f"{size:,} now; get or make it again"
            )

    @contextmanager
    def translating(self, what: str) -> Iterator[None]:
        """Turns what h5py raises in the block into a DataError."""
        try:
            yield
        except ArmillaryError:
            raise
        except _RAISED as error:
            raise self.damaged(what, error) from error

    def damaged(self, what: str, error: Exception) -> DataError:
        """What h5py raised, told as what it means."""
        self.check_size()
        said = reason(str(error))
        return self.error(f"{what} is damaged, get or make the file again ({said})")


class Array:
    """An array of numbers of an open file; ``array[window]`` reads like h5py.

    An array that has checksums (fletcher32) and one entry of an axis in each chunk, as our writers
    store it, is verified chunk by chunk when one is first touched; after that its windows are read
    straight from the file, without reading the whole chunk again.

    Attributes:
        name: in the file.
        shape: of the array.
        dtype: of its entries; that of objects where they are no numbers, which cannot be read.

    Raises:
        DataError: the data lie in other files, are compressed by what is not installed, were never
            written, or are fewer than the shape says; ``array[window]``: they are damaged or no
            numbers, or the file has changed its size.
    """

    def __init__(self, storage: Storage, dataset: h5d.DatasetID, name: str) -> None:
        self.name = name
        self._storage = storage
        self._id = dataset
        properties = dataset.get_create_plist()
        self._layout = properties.get_layout()
        self._filters = [properties.get_filter(index) for index in range(properties.get_nfilters())]
        if self._layout == h5d.VIRTUAL or properties.get_external_count():
            raise storage.error(
                f"{name} keeps its data in other files, which are never read; copy them into this "
                "file (h5repack)"
            )
        self._check_filters()
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype = self._type()
        self._chunk = properties.get_chunk() if self._layout == h5d.CHUNKED else self.shape
        self._check_bytes()
        self._h5py = h5py.Dataset(dataset)
        self._axis = self._axis_of_chunks()
        self._offsets: dict[int, int] = {}

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, window: Any) -> np.ndarray:
        if self.dtype.kind not in NUMBERS:
            raise self._storage.error(f"{self.name} must hold numbers")
        try:  # not the block of ``translating``, which takes as long as a small read
            match (self._axis, window):
                case (0, (int(entry), slice(step=None) as span)):
                    values = self._of_chunk(0, entry, span)
                case (1, (slice(step=None) as span, int(entry))):
                    values = self._of_chunk(1, entry, span)
                case _:
                    values = self._h5py[window]
        except ArmillaryError:
            raise
        except _RAISED as error:
            raise self._storage.damaged(f"{self.name}{_shown(window)}", error) from error
        self._storage.check_size()
        return values

    def _of_chunk(self, axis: int, entry: int, span: slice) -> np.ndarray:
        """A span of the axis 1 - ``axis`` of an entry of ``axis``, which has a chunk of its own."""
        if entry not in self._offsets:
            whole = self._h5py[(slice(None),) * axis + (entry,)]  # raises where it was changed
            place = [0] * self.ndim
            place[axis] = entry
            found = self._id.get_chunk_info_by_coord(tuple(place))
            if not found.filter_mask:
                self._offsets[entry] = found.byte_offset
            return whole[span]
        start, stop, _ = span.indices(self.shape[1 - axis])
        values = np.empty((max(stop - start, 0), *self.shape[2:]), self.dtype)
        step = values.itemsize * math.prod(self.shape[2:])
        offset = self._offsets[entry] + start * step
        if os.preadv(self._storage.descriptor, [values.data], offset) != values.nbytes:
            raise OSError("the file ends too early")
        return values

    def _check_filters(self) -> None:
        """Raises DataError if the numbers cannot be unpacked here."""
        for code, _, _, name in self._filters:
            if not h5z.filter_avail(code):
                raise self._storage.error(
                    f"{self.name} is compressed by the filter {os.fsdecode(name) or code}, which "
                    "is not installed: write the file with another one (h5repack -f GZIP=4), or "
                    "install it where HDF5_PLUGIN_PATH says (the package hdf5plugin has many)"
                )

    def _check_bytes(self) -> None:
        """Raises DataError if there are fewer bytes than the shape asks for."""
        stored, ratio = self._id.get_storage_size(), 1
        chunks = [
            -(-size // max(step, 1)) for size, step in zip(self.shape, self._chunk, strict=True)
        ]
        wanted = math.prod([*chunks, *self._chunk, self._id.get_type().get_size()])
        if self._layout == h5d.CHUNKED:
            missing = math.prod(chunks) - self._id.get_num_chunks()
            if missing > 0:
                raise self._storage.error(
                    f"{self.name} {self.shape} lacks {missing:,} of its {math.prod(chunks):,} "
                    "chunks: they were never written, or are lost; get or make the file again"
                )
            ratio = max((_RATIOS.get(code, _ANY_RATIO) for code, *_ in self._filters), default=1)
        if wanted > ratio * stored or stored > self._storage.size:
            raise self._storage.error(
                f"{self.name} {self.shape} asks for {wanted:,} bytes, of which {stored:,} are "
                f"stored in a file of {self._storage.size:,}: they were never written, or the file "
                "is damaged; get or make it again"
            )

    def _type(self) -> np.dtype:
        try:
            return self._id.dtype
        except TypeError:  # HDF5 has types that NumPy has not
            return np.dtype(object)

    def _axis_of_chunks(self) -> int | None:
        """The axis, 0 or 1, of which a chunk has one entry; None if windows are read by h5py."""
        checksums = [code for code, *_ in self._filters] == [h5z.FILTER_FLETCHER32]
        if not checksums or self._storage.file.userblock_size or not hasattr(os, "preadv"):
            return None
        for axis in range(min(2, self.ndim - 1)):
            if self._chunk == (*self.shape[:axis], 1, *self.shape[axis + 1 :]):
                return axis
        return None


def _shown(window: Any) -> str:
    """The entries that a window is cut out of, ``[3]`` or ``[:, 3]``."""
    parts = window if isinstance(window, tuple) else ()
    entries = [str(part) if isinstance(part, int) else ":" for part in parts]
    while entries and entries[-1] == ":":
        entries.pop()
    return f"[{', '.join(entries)}]" if entries else ""


def reason(said: str) -> str:
    """What libhdf5 said, on one line and not too long."""
    line = " ".join(said.replace(_FILTER_FAILED, _MEANT).split())
    return line if len(line) <= 160 else f"{line[:160]}..."
