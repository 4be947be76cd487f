"""ZIP archives and the arrays of NumPy in them (.npz): no more is read than they can hold."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.reading import reading
from armillary.suggestions import holds

_RATIO = 1032
"""The most that a byte becomes when it is unpacked: deflate can do no more."""
TORCHSCRIPT = 20
"""Likewise in a file of TorchScript: its code is compressed, its weights are not."""
_ENDING = ".npy"


def archived(path: Path | str, kind: type[ArmillaryError], ratio: int = 1) -> dict[str, int]:
    """The unpacked bytes of every file in a ZIP archive, no more in all than its own can hold.

    Args:
        path: of the archive.
        kind: of the error.
        ratio: how many bytes one byte may become; 1 where nothing is compressed.

    Raises:
        ArmillaryError: of the ``kind``: it is no archive, damaged, or promises more.
    """
    with reading(path, "is no archive, or its end is missing", kind):
        size = Path(path).stat().st_size
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    packed = sum(entry.compress_size for entry in entries)  # so many are asked for when it is read
    promised = max(packed, sum(entry.file_size for entry in entries))
    if packed > size or promised > ratio * size:
        raise kind(
            path, f"is refused: its {size} bytes promise {promised}, more than they can hold"
        )
    return {entry.filename: entry.file_size for entry in entries}


@dataclass(frozen=True)
class Stored:
    """An array in an archive, of which only the head was read.

    Attributes:
        path: of the archive.
        name: of the array.
        shape: (N, ...), all at least 1.
        dtype: numbers.
        kind: of the errors.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: type[ArmillaryError]

    def rows(self) -> Iterator[NDArray[Any]]:
        """The N rows in their order.

        Raises:
            ArmillaryError: of the ``kind``: the array is damaged.
        """
        shape = self.shape[1:]
        size = math.prod(shape) * self.dtype.itemsize
        with _opened(self.path, self.name, self.kind) as file:
            _, by_column, _ = _head(file)
            if by_column:
                file.seek(0)
                yield from npy.read_array(file, allow_pickle=False)
                return
            for _ in range(self.shape[0]):
                yield np.frombuffer(file.read(size), self.dtype).reshape(shape)
            file.read()  # the checksum is compared at the end

    def whole(self) -> NDArray[Any]:
        """All of it.

        Raises:
            ArmillaryError: of the ``kind``: the array is damaged.
        """
        with _opened(self.path, self.name, self.kind) as file:
            return npy.read_array(file, allow_pickle=False)


def arrays(
    path: Path, kind: type[ArmillaryError] = ArmillaryError, names: Sequence[str] | None = None
) -> dict[str, Stored]:
    """Arrays of an archive by name.

    Args:
        path: of the archive.
        kind: of the errors.
        names: of the arrays; None for all.

    Raises:
        ArmillaryError: of the ``kind``: the file is no archive or promises more than its bytes can
            hold, there is no such array, or its size is not what its head says.
    """
    sizes = archived(path, kind, _RATIO)
    there = {file.removesuffix(_ENDING): size for file, size in sizes.items()}
    missing = [name for name in names or () if name not in there]
    if missing:
        raise kind(path, f"there is no array {missing[0]!r}; {holds(missing[0], there)}")
    return {name: _stored(path, name, there[name], kind) for name in names or there}


def _stored(path: Path, name: str, size: int, kind: type[ArmillaryError]) -> Stored:
    """An array whose file unpacks to that many bytes."""
    with _opened(path, name, kind) as file:
        shape, _, dtype = _head(file)
        left = size - file.tell()
    if not shape or 0 in shape or dtype.kind not in "biuf":
        raise kind(path, f"the array {name!r} must hold numbers, got {shape} of {dtype}")
    if left != math.prod(shape) * dtype.itemsize:
        raise kind(path, f"the array {name!r} is damaged: {shape} of {dtype} are not {left} bytes")
    return Stored(path, name, shape, dtype, kind)


@contextmanager
def _opened(path: Path, name: str, kind: type[ArmillaryError]) -> Iterator[IO[bytes]]:
    with (
        reading(path, f"the array {name!r} is damaged", kind),
        zipfile.ZipFile(path) as archive,
        archive.open(name + _ENDING) as file,
    ):
        yield file


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type: what an array in a file begins with."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    return read[npy.read_magic(file)](file)
