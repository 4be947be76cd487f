"""Loads the networks that users name, whoever wrote their files."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import torch

from armillary.archives import TORCHSCRIPT, archived
from armillary.errors import ArmillaryError
from armillary.looks import look
from armillary.reading import reading
from armillary.torchscript import probe

_SECONDS, _BYTES_A_SECOND = 5.0, 1e7
"""Of the processor that loading may take, and bytes of the file for which it gets another."""


def load(
    path: Path, device: torch.device, name: str, problem: str, kind: type[ArmillaryError]
) -> torch.jit.ScriptModule:
    """A network in evaluation mode. It is a program: its operations run with the user's rights.

    A process of its own loads it first, since torch crashes on some damaged files.

    Args:
        path: of a file that is there.
        device: where the network will run.
        name: of the file in messages.
        problem: what is wrong with it where it cannot be loaded.
        kind: of the error.

    Raises:
        ArmillaryError: of the ``kind``: the file is no TorchScript, damaged, or asks for more
            memory than its bytes justify.
        RunError: no process could be started to look at it.
    """
    with reading(name, problem, kind), warnings.catch_warnings():
        # The field's files are TorchScript, deprecated or not.
        warnings.simplefilter("ignore", DeprecationWarning)
        archived(path, ArmillaryError, TORCHSCRIPT)
        status = path.stat()
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        _look_at(path.absolute(), stamp)
        return torch.jit.load(probe.undebugged(str(path)), map_location=device).eval()


@lru_cache(maxsize=16)
def _look_at(path: Path, stamp: tuple[int, ...]) -> None:
    seconds = _SECONDS + stamp[2] / _BYTES_A_SECOND
    found = look(probe.__file__, path, seconds, ArmillaryError)
    if "error" in found:
        raise ArmillaryError(path, found["error"])
