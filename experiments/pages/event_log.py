"""Reads a TensorBoard log, which may be damaged or end in the middle of a record."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from armillary.experiments.command.errors import UsageError
from armillary.reading import reading

_LENGTH, _AROUND = 8, 16
"""Bytes of the length that a record begins with, and of that and the checksums around it."""


def read_log(directory: Path) -> EventAccumulator:
    """The log in a directory.

    Raises:
        UsageError: it is damaged.
    """
    log = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    with reading(directory, "the TensorBoard log is damaged", UsageError, DecodeError):
        for file in directory.glob("*tfevents*"):
            _check_lengths(file)
        log.Reload()
    return log


def _check_lengths(path: Path) -> None:
    """Raises ValueError if a record says that it is longer than its file."""
    size, place = path.stat().st_size, 0
    with open(path, "rb") as file:
        while len(head := file.read(_LENGTH)) == _LENGTH:
            length = int.from_bytes(head, "little")
            if length > size:
                raise ValueError(f"a record of {length} bytes in a file of {size}")
            place += length + _AROUND
            file.seek(place)
