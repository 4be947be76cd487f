"""Arrays in NumPy archives (.npz), a row at a time and no more than the archive can hold."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from armillary.reading import archived, reading
from armillary.suggestions import holds
from armillary.world_models.data.schema import DataError

_RATIO = 1032
"""The most that a byte becomes when it is unpacked: deflate can do no more."""
_ENDING = ".npy"


@dataclass(frozen=True)
class Stored:
    """An array in an archive, of which only the head was read.

    Attributes:
        path: of the archive.
        name: of the array.
        shape: (N, ...), all at least 1.
        dtype: numbers.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def rows(self) -> Iterator[NDArray[Any]]:
        """The N rows in their order.

        Raises:
            DataError: the array is damaged.
        """
        shape = self.shape[1:]
        size = math.prod(shape) * self.dtype.itemsize
        with (
            reading(self.path, f"the array {self.name!r} is damaged", DataError),
            zipfile.ZipFile(self.path) as archive,
            archive.open(self.name + _ENDING) as file,
        ):
            _, by_column, _ = _head(file)
            if by_column:
                file.seek(0)
                yield from npy.read_array(file, allow_pickle=False)
                return
            for _ in range(self.shape[0]):
                yield np.frombuffer(file.read(size), self.dtype).reshape(shape)
            file.read()  # the checksum is compared at the end


def stored(path: Path, name: str) -> Stored:
    """An array of an archive.

    Raises:
        DataError: the file is no archive or promises more than its bytes can hold, there is no such
            array, or its size is not what its head says.
    """
    sizes = archived(path, DataError, _RATIO)
    there = {file.removesuffix(_ENDING): size for file, size in sizes.items()}
    if name not in there:
        raise DataError(path, f"there is no array {name!r}; {holds(name, there)}")
    problem = f"the array {name!r} is damaged"
    with (
        reading(path, problem, DataError),
        zipfile.ZipFile(path) as archive,
        archive.open(name + _ENDING) as file,
    ):
        shape, _, dtype = _head(file)
        size = there[name] - file.tell()
    if not shape or 0 in shape or dtype.kind not in "biuf":
        raise DataError(path, f"the array {name!r} must hold numbers, got {shape} of {dtype}")
    if size != math.prod(shape) * dtype.itemsize:
        raise DataError(path, f"{problem}: {shape} of {dtype} are not {size} bytes")
    return Stored(path, name, shape, dtype)


def _head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type: what an array in a file begins with."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    return read[npy.read_magic(file)](file)
