"""An event file of TensorBoard, written at once and in this thread: a full disk is an error here.

TensorBoard's own writer leaves that to a thread of its own, whose errors end no run.
"""

from __future__ import annotations

import os
import socket
import time
from itertools import count
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor
from torch.utils.tensorboard.summary import image, scalar

_VERSION = "brain.Event:2"
Event: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
SessionLog: Any = event_pb2.SessionLog  # pyright: ignore[reportAttributeAccessIssue]
_NUMBERS = count()


class EventFile:
    """A new event file, open until it is closed.

    Args:
        directory: of the file; made.
        purge_step: entries of earlier files from this step on do not count; None where all do.

    Raises:
        OSError: it cannot be written; so do all methods.
    """

    def __init__(self, directory: Path, purge_step: int | None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        place = f"{socket.gethostname()}.{os.getpid()}.{next(_NUMBERS)}"
        name = f"events.out.tfevents.{int(time.time()):010d}.{place}"
        self._file = (directory / name).open("xb", buffering=0)  # nothing is left to be written
        self._records = RecordWriter(self._file)
        self._write(Event(file_version=_VERSION))
        if purge_step is not None:
            self._write(Event(step=purge_step, file_version=_VERSION))
            started = SessionLog(status=SessionLog.START)
            self._write(Event(step=purge_step, session_log=started))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Adds a number."""
        self._write(Event(step=step, summary=scalar(name, value)))

    def add_image(self, name: str, picture: Tensor, step: int) -> None:
        """Adds a picture (3, H, W) in [0, 1]."""
        self._write(Event(step=step, summary=image(name, picture, dataformats="CHW")))

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
