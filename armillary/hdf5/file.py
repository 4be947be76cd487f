"""The one way to read HDF5 files, whoever wrote them.

Nothing outside the file is read (no external link, external storage or virtual data set), nothing
is allocated that the bytes of the file do not justify, and what libhdf5 says is a ``DataError``.
"""

# h5py has no types for its lower level.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
from h5py import h5g, h5l, h5o

from armillary import looks
from armillary.errors import DataError
from armillary.hdf5 import probe
from armillary.hdf5.array import Array, Storage, reason
from armillary.hdf5.probe import DAMAGES, read_attributes, variable_text

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHECKSUMMED = 3
"""Version of the superblock from which on all that describes the data has checksums."""
_SECONDS, _BYTES_A_SECOND = 0.3, 1e9
"""Of the processor that a look may take, and bytes of the file for which it gets another second."""
_MOST_LINKS = 16


class BusyError(DataError):
    """A file that another process has open for writing."""


class Group:
    """A group of an open file: names and what they stand for.

    Attributes:
        name: in the file, ``/`` for the root.
    """

    def __init__(self, storage: Storage, group: h5g.GroupID, name: str) -> None:
        self.name = name
        self._storage = storage
        self._group = group

    def __iter__(self) -> Iterator[str]:
        with self._storage.translating(f"group {self.name}"):
            names = [os.fsdecode(name) for name in self._group]
        return iter(names)

    def __contains__(self, name: str) -> bool:
        with self._storage.translating(f"group {self.name}"):
            return bool(self._group.links.exists(os.fsencode(name)))

    def get(self, name: str) -> Group | Array | None:
        """The group or array of a name, None where there is neither.

        Raises:
            DataError: the name leads out of the file, in a circle or nowhere, or it is damaged.
        """
        if name not in self:
            return None
        full = f"{self.name.rstrip('/')}/{name}"
        with self._storage.translating(full):
            found = self._find(os.fsencode(name), full)
            if isinstance(found, h5py.h5d.DatasetID):
                return Array(self._storage, found, full)
            return Group(self._storage, found, full) if isinstance(found, h5g.GroupID) else None

    def items(self) -> Iterator[tuple[str, Group | Array | None]]:
        """All names, and what they stand for."""
        return ((name, self.get(name)) for name in self)

    def _find(self, name: bytes, full: str) -> Any:
        """What a name stands for; links are followed step by step, since any step may lead out."""
        place, parts, links = self._group, [name], 0
        while True:
            part, *rest = parts
            kind = place.links.get_info(part).type
            if kind == h5l.TYPE_SOFT:
                links += 1
                if links > _MOST_LINKS:
                    raise self._storage.error(f"{full} is a link that leads in a circle")
                target = place.links.get_val(part)
                if target.startswith(b"/"):
                    place = h5g.open(self._storage.file.id, b"/")
                parts = [step for step in target.split(b"/") if step not in (b"", b".")] + rest
                if not parts:
                    return place
            elif kind == h5l.TYPE_HARD:
                found = h5o.open(place, part)
                if not rest:
                    return found
                if not isinstance(found, h5g.GroupID):
                    raise self._storage.error(f"{full} is a link that leads nowhere")
                place, parts = found, rest
            else:
                raise self._storage.error(
                    f"{full} is a link to another file, which is never followed; copy the "
                    "data into this file (h5py's copy with expand_external=True)"
                )


class File(Group):
    """An HDF5 file, open for reading.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        attrs: the attributes of its root as texts, numbers, truth values and lists of these.
        stamp: size in bytes and time of the last change.

    Raises:
        DataError: there is no such file, it cannot be read, is no HDF5 file, truncated, damaged, or
            open for writing elsewhere (``BusyError``).
        RunError: no process could be started to look at it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        version = _superblock_version(path)
        attributes = look(path) if version < _CHECKSUMMED else None
        try:
            # Windows start anywhere, so HDF5's cache of whole chunks would mostly copy in vain.
            file = h5py.File(path, "r", rdcc_nbytes=0)
        except (*DAMAGES, ValueError) as error:
            raise _open_error(path, str(error)) from error
        storage = Storage(path, file)
        with storage.translating("the list of attributes"):
            if attributes is None and variable_text(file):
                attributes = look(path)
            self.attrs = read_attributes(file) if attributes is None else attributes
            root = h5g.open(file.id, b"/")
        status = os.fstat(storage.descriptor)
        self.stamp = (status.st_size, status.st_mtime_ns)
        super().__init__(storage, root, "/")

    def close(self) -> None:
        """Closes the file; its groups and arrays cannot be used any more."""
        self._storage.close()


def look(path: Path) -> dict[str, Any]:
    """The attributes of a file that another process could walk through.

    libhdf5 trusts what old kinds of files say of themselves, and text attributes of variable
    length in all kinds; where they are damaged, they may end or hold the process that reads them.

    Raises:
        DataError: the file cannot be opened or is damaged.
        RunError: no process could be started.
    """
    status = path.stat()
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return dict(_looked_at(path.absolute(), stamp))


@lru_cache(maxsize=64)
def _looked_at(path: Path, stamp: tuple[int, ...]) -> dict[str, Any]:
    seconds = _SECONDS + stamp[2] / _BYTES_A_SECOND
    found = looks.look(probe.__file__, path, seconds, DataError)
    if "error" in found:
        raise _open_error(path, found["error"])
    return found["attributes"]


def _superblock_version(path: Path) -> int:
    """Which of HDF5's formats a file begins with, behind any block of the user's own."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(path, "there is no such file, but a folder, a device or the like")
        with path.open("rb") as file:
            start, size = 0, os.fstat(file.fileno()).st_size
            while start < size:
                file.seek(start)
                found = file.read(len(_SIGNATURE) + 1)
                if found[:-1] == _SIGNATURE:
                    return found[-1]
                start = 2 * start or 512
    except FileNotFoundError as error:
        raise DataError(path, "there is no such file") from error
    except OSError as error:
        raise DataError(path, f"the file cannot be read ({error.strerror})") from error
    raise DataError(path, "this is no HDF5 file, or its beginning is damaged")


def _open_error(path: Path, said: str) -> DataError:
    """What is wrong with a file that cannot be opened, by what libhdf5 said."""
    if "unable to lock file" in said:
        return BusyError(
            path,
            "another process has the file open for writing; wait until it has ended (on a file "
            "system without locks, set HDF5_USE_FILE_LOCKING=FALSE)",
        )
    if "already open for write" in said:
        return DataError(
            path,
            "the program that wrote the file was killed, or still writes it; make it again, or "
            "clear its mark with h5clear -s",
        )
    what = "truncated" if "truncated file" in said else "damaged"
    return DataError(path, f"the file is {what}, get or make it again ({reason(said)})")
