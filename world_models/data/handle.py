"""Opens an HDF5 file lazily, once in every process that reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py

from armillary.world_models.data.schema import DataError, dataset


class Handle:
    """An HDF5 file opened once per process, so that it survives forking and pickling.

    Args:
        path: of the file.

    Raises:
        DataError: there is no file, or it is damaged or no HDF5 file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = -1
        self._file: h5py.File | None = None
        self._arrays: dict[tuple[str, str], h5py.Dataset] = {}

    def file(self) -> h5py.File:
        """The open file of this process."""
        if self._file is None or self._process != os.getpid():
            if self._file is not None:
                self._file.close()
            self._file = self._open()
            self._arrays = {}
            self._process = os.getpid()
        return self._file

    def array(self, split: str, name: str) -> h5py.Dataset:
        """An array of a split, looked up once per process."""
        file = self.file()
        if (split, name) not in self._arrays:
            group = file[split]
            assert isinstance(group, h5py.Group)
            self._arrays[split, name] = dataset(self.path, group, name)
        return self._arrays[split, name]

    def _open(self) -> h5py.File:
        if not self.path.is_file():
            raise DataError(self.path, "there is no such file")
        if not h5py.is_hdf5(self.path):
            raise DataError(self.path, "this is no HDF5 file, or its beginning is damaged")
        try:
            # Windows start anywhere, so HDF5's cache of whole chunks would mostly copy in vain.
            return h5py.File(self.path, "r", rdcc_nbytes=0)
        except OSError as error:
            raise DataError(self.path, f"the file is truncated or damaged ({error})") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_process": -1, "_file": None, "_arrays": {}}
