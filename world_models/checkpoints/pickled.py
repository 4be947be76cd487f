"""Files of ``torch.save``, read without running code and without asking for more than they hold."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from armillary.archives import archived
from armillary.errors import ArmillaryError
from armillary.reading import reading

_MOST = 8
"""How often the bytes of a file may be shared by its tensors, those of tied weights say."""
_DIGITS = 12
_UNKNOWN = re.compile(r"(?:GLOBAL|module) ([\w.]+)")


class _TooLargeError(Exception):
    """A tensor of so many bytes."""


class _Sized(TorchDispatchMode):
    """Refuses tensors that are larger than the file that they are read from."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most, self._left = most, _MOST * most

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            count = made.numel() * made.element_size()
            self._left -= count
            if count > self._most or self._left < 0:
                raise _TooLargeError(f"a tensor {tuple(made.shape)} in {self._most} bytes")
        return made


def load(
    path: Path, kind: type[ArmillaryError] = ArmillaryError, advice: str = ""
) -> Mapping[str, Any]:
    """The dictionary in a file of ``torch.save``, on the CPU: tensors, numbers, texts, containers.

    Its tensors are first made without memory, so that a file that asks for more bytes than it has
    is refused before they are allocated.

    Args:
        path: of the file.
        kind: of the error.
        advice: what to do where it holds other objects.

    Raises:
        ArmillaryError: of the ``kind``: it is damaged, something else, holds other objects, asks
            for more than its size, or is no dictionary.
    """
    problem = "is no file of torch.save, or is damaged"
    with reading(path, problem, kind):
        size, archive, payload = path.stat().st_size, zipfile.is_zipfile(path), path.read_bytes()
    if archive:
        archived(path, kind)
        with reading(path, problem, kind):
            _check_alignment(path)
    if b"bytearray\n" in payload:
        raise kind(path, _told("builtins.bytearray", advice))

    def content_of() -> Any:  # from memory, where no length in a file asks for more than is there
        return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)

    with reading(path, problem, kind):
        try:
            with FakeTensorMode(), _Sized(size):
                content_of()
        except _TooLargeError as error:
            raise kind(path, f"is refused: it asks for {error}, which cannot hold it") from error
        except pickle.UnpicklingError as error:
            unknown = _UNKNOWN.search(str(error))
            if unknown is None:
                raise
            raise kind(path, _told(unknown[1], advice)) from error
        content = content_of()
    if not isinstance(content, Mapping):
        raise kind(path, f"must hold a dictionary, got {type(content).__name__}")
    return content


def _check_alignment(path: Path) -> None:
    """Raises ValueError where the tensors lie at multiples of nothing, by which torch divides."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith("/.storage_alignment"):
                plain = entry.compress_type == zipfile.ZIP_STORED and entry.file_size < _DIGITS
                if not (plain and int(archive.read(entry)) > 0):
                    raise ValueError("it does not say at multiples of what its tensors lie")


def _told(unknown: str, advice: str) -> str:
    return (
        f"holds {unknown}, and only tensors, numbers and texts are read, since other objects run "
        f"code when they are read{advice}"
    )
