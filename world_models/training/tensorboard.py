"""TensorBoard logs of a training run: losses, metrics, reconstructions, masks, open-loop frames."""

from __future__ import annotations

import os
import socket
import time
from itertools import count
from pathlib import Path
from typing import Any

import torch
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor
from torch.utils.tensorboard.summary import image, scalar

from armillary.world_models.state import Scene
from armillary.world_models.training.callbacks import Callback, StepReport, ValidationReport

_VERSION = "brain.Event:2"
Event: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
SessionLog: Any = event_pb2.SessionLog  # pyright: ignore[reportAttributeAccessIssue]
_NUMBERS = count()


class TensorBoard(Callback):
    """Writes event files.

    Args:
        directory: of the event files.
        every: steps between two entries of the training losses.
    """

    def __init__(self, directory: str | Path, every: int = 10) -> None:
        self._directory = Path(directory)
        self._every = every
        self._open: EventFile | None = None

    def on_start(self, step: int) -> None:
        """Opens the log; entries after ``step`` of a session that was killed are dropped."""
        self._open = EventFile(self._directory, step + 1 if step else None)

    def on_step(self, report: StepReport) -> None:
        """Logs losses, learning rate, gradient norm and progress."""
        if report.step % self._every == 0:
            scalars = {f"train/{name}": value for name, value in report.losses.items()}
            scalars["optimizer/learning_rate"] = report.learning_rate
            scalars["optimizer/gradient_norm"] = report.gradient_norm
            scalars["run/progress"] = report.progress
            scalars["run/minutes"] = report.seconds / 60
            scalars["run/stage"] = report.stage_index
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, report.step)

    def on_validation(self, report: ValidationReport) -> None:
        """Logs metrics and images: each row is a clip, each column a frame.

        ``slots/of_first_clip`` shows one clip in rows of frames, context and open loop: the truth,
        the model's frames, what each slot looks like, then where each slot is seen.
        """
        for name, value in report.metrics.items():
            self._writer.add_scalar(f"validation/{name}", value, report.step)
        context = report.context_length
        frames, masks = report.scene.frames, report.scene.masks.expand_as(report.scene.components)
        slots = masks * report.scene.components + (1 - masks)
        images = {
            "context/true_over_reconstructed": _stacked(report.truth, frames, slice(context)),
            "open_loop/true_over_imagined": _stacked(report.truth, frames, slice(context, None)),
            "context/slots_of_last_frame": slots[:, context - 1],
            "context/masks_of_last_frame": masks[:, context - 1],
            "open_loop/slots_of_last_frame": slots[:, -1],
            "open_loop/masks_of_last_frame": masks[:, -1],
            "slots/of_first_clip": decomposition(report.truth[0], report.scene.map(lambda t: t[0])),
        }
        for name, clips in images.items():
            self._writer.add_image(name, tile(clips), report.step)

    def on_end(self) -> None:
        """Closes the log."""
        self._writer.close()

    @property
    def _writer(self) -> EventFile:
        assert self._open is not None, "on_start comes first"
        return self._open


class EventFile:
    """A new event file, written at once and in this thread, so that a full disk is an error here.

    TensorBoard's own writer leaves that to a thread of its own, whose errors end no run.

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

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())


def tile(images: Tensor) -> Tensor:
    """(R, C, 3, H, W) -> (3, R * H, C * W): R rows of C images."""
    rows, columns, channels, height, width = images.shape
    return images.permute(2, 0, 3, 1, 4).reshape(channels, rows * height, columns * width)


def decomposition(truth: Tensor, scene: Scene) -> Tensor:
    """The rows of ``slots/of_first_clip``.

    Args:
        truth: (T, 3, H, W).
        scene: of these T frames, K slots.

    Returns:
        (2 + 2K, T, 3, H, W): true frames, composed frames, K components, K masks.
    """
    whole = torch.stack([truth, scene.frames])
    masks = scene.masks.expand_as(scene.components)
    return torch.cat([whole, scene.components.transpose(0, 1), masks.transpose(0, 1)])


def _stacked(truth: Tensor, frames: Tensor, times: slice) -> Tensor:
    """Each true frame above the model's: two (n, T, 3, H, W) -> (n, T, 3, 2 * H, W)."""
    return torch.cat([truth[:, times], frames[:, times]], dim=-2)
