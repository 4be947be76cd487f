"""Opens an HDF5 file lazily, once in every process that reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from armillary.errors import DataError
from armillary.hdf5.array import Array
from armillary.hdf5.file import File, Group
from armillary.world_models.data.schema import dataset


class Handle:
    """An HDF5 file opened once per process, so that it survives forking and pickling.

    Args:
        path: of the file.

    Raises:
        DataError: there is no file, it is damaged or no HDF5 file, or another one than it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = -1
        self._stamp: tuple[int, int] | None = None
        self._file: File | None = None
        self._arrays: dict[tuple[str, str], Array] = {}

    def file(self) -> File:
        """The open file of this process."""
        if self._file is None or self._process != os.getpid():
            if self._file is not None:
                self._file.close()
            self._file = File(self.path)
            self._check_same(self._file)
            self._arrays = {}
            self._process = os.getpid()
        return self._file

    def array(self, split: str, name: str) -> Array:
        """An array of a split, looked up once per process."""
        file = self.file()
        if (split, name) not in self._arrays:
            group = file.get(split)
            assert isinstance(group, Group)
            self._arrays[split, name] = dataset(self.path, group, name)
        return self._arrays[split, name]

    def _check_same(self, file: File) -> None:
        self._stamp = self._stamp or file.stamp
        if file.stamp != self._stamp:
            raise DataError(self.path, "the file was changed or replaced while it was in use")

    def __getstate__(self) -> dict[str, Any]:
        fresh = {"_process": -1, "_file": None, "_arrays": {}}
        return {"path": self.path, "_stamp": self._stamp, **fresh}
