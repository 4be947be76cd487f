"""The one way to write HDF5 files: with checksums, and never into a disk that is full.

libhdf5 crashes when a write fails, then or when the file is closed. So what is to be written has
its room on the disk before libhdf5 writes it.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from armillary.errors import DataError, RunError

Attribute = str | int | float
MARGIN = 1 << 20
"""Bytes beyond what is asked for that are kept for what describes the data."""
CHECKSUM = 4
"""Bytes of the checksum of a chunk."""
_LONGEST = 60_000
"""Bytes of text that an attribute can have."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNKNOWN = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV}
"""What file systems say that cannot reserve room."""


def create(
    path: Path, attributes: Mapping[str, Attribute], version: Literal["earliest", "v110"]
) -> h5py.File:
    """A new file that holds nothing but attributes, open to be filled; see ``reserve``, ``finish``.

    Args:
        path: of the file; one that is there is written over.
        attributes: of its root; text is stored in fixed length.
        version: of the format: v110 has checksums in all that describes the data, and stays marked
            as open where the process that fills it is killed; earliest can be gone on with.

    Raises:
        DataError: a text is too long.
        RunError: the disk is full.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver=version) as empty:
        for name, value in attributes.items():
            set_attribute(path, empty, name, value)
    with _room(path, len(memory.getvalue())):
        path.write_bytes(memory.getvalue())
    file = h5py.File(path, "r+", libver=version, rdcc_nbytes=0)
    try:
        reserve(file, 0)
    except BaseException:
        file.close()
        raise
    return file


def set_attribute(path: Path, file: h5py.File, name: str, value: Attribute) -> None:
    """Sets an attribute of the root; raises DataError if a text is too long."""
    if not isinstance(value, str):
        file.attrs[name] = value
        return
    text = value.encode("utf-8", "surrogateescape")
    if len(text) > _LONGEST:
        raise DataError(path, f"the attribute {name!r} must have at most {_LONGEST} bytes")
    kind = h5py.string_dtype("utf-8", max(1, len(text)))
    file.attrs.create(name, np.bytes_(text), dtype=kind)


def reserve(file: h5py.File, size: int) -> None:
    """Takes the room on the disk that the next ``size`` bytes of a file need.

    To be called before anything is written, so that libhdf5 never meets a full disk; the cache of
    chunks must be off (``rdcc_nbytes=0``), since what waits in it has no place yet.

    Raises:
        RunError: there is not that much.
    """
    path, size = Path(os.fsdecode(file.id.name)), size + MARGIN
    with _room(path, size):
        try:
            os.posix_fallocate(file.id.get_vfd_handle(), file.id.get_filesize(), size)
        except AttributeError:  # a system without it
            _check_free(path, size)
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
            _check_free(path, size)


def finish(file: h5py.File) -> None:
    """Closes a file that was filled, and gives back the room that was not needed."""
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.ftruncate(file.id.get_vfd_handle(), file.id.get_filesize())
    file.close()


def _check_free(path: Path, size: int) -> None:
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _room(path: Path, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise RunError(
            f"{path.parent}: no room for {size:,} more bytes ({error.strerror}); the same command "
            "goes on when there is room"
        ) from error
