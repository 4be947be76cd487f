"""The one way to write HDF5 files: libhdf5, which crashes where a write fails, meets no failure.

It writes through an object that keeps the first failure, and what is not written after it, to
itself. The failure is raised when libhdf5 has done its step, which no signal breaks off.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import h5py
import numpy as np

from armillary.errors import DataError, RunError

try:
    import fcntl
except ImportError:
    fcntl = None

Attribute = str | int | float
_SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
_LONGEST = 60_000
"""Bytes of text that an attribute can have."""


class WrittenFile:
    """A new HDF5 file; a context manager that closes it.

    Its format (HDF5 1.10) has checksums in all that describes the data.

    Args:
        path: of the file.

    Raises:
        BlockingIOError: another process has the file open.
        RunError: on entering, in every ``step`` and on leaving: the disk is full, or the like.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self._sink = _Sink(self.path)
        try:
            with _uninterrupted():
                self._file = h5py.File(self._sink, "w", libver="v110")
                self._file.flush()
        except BaseException:
            self._sink.close()
            raise
        try:
            self._check()
        except RunError:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        if error is None:
            self._check()

    @contextmanager
    def step(self) -> Iterator[h5py.File]:
        """Gives the file for a few calls of h5py, which are all done, or failed, when it ends."""
        try:
            with _uninterrupted():
                yield self._file
        finally:
            self._check()

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Sets attributes of the root; texts have a fixed length, so that reading them is safe.

        Raises:
            DataError: a text is too long.
        """
        with self.step() as file:
            for name, value in attributes.items():
                if not isinstance(value, str):
                    file.attrs[name] = value
                    continue
                text = value.encode("utf-8", "surrogateescape")
                if len(text) > _LONGEST:
                    message = f"the attribute {name!r} must have at most {_LONGEST} bytes"
                    raise DataError(self.path, message)
                kind = h5py.string_dtype("utf-8", max(1, len(text)))
                file.attrs.create(name, np.bytes_(text), dtype=kind)

    def flush(self) -> None:
        """Hands everything to the system."""
        with self.step() as file:
            file.flush()

    def _close(self) -> None:
        with contextlib.closing(self._sink), _uninterrupted():
            self._file.close()

    def _check(self) -> None:
        failure = self._sink.failure
        if failure is not None:
            raise RunError(
                f"{self.path.parent}: a file cannot be written ({failure.strerror}); make room, or "
                "mend it, and give the same command again"
            ) from failure


class _Sink(io.RawIOBase):
    """A file whose writes seem to succeed, always."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.failure: OSError | None = None
        self._place = 0
        self._lost: list[tuple[int, bytes]] = []
        opener = lambda name, flags: os.open(name, flags | os.O_CREAT, 0o666)  # noqa: E731
        self._file = open(path, "r+b", buffering=0, opener=opener)  # noqa: SIM115
        try:
            _lock(self._file.fileno())
            self._file.truncate(0)
        except BaseException:
            self._file.close()
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = self._file.seek(0, os.SEEK_END) + offset if whence else offset
        return self._place

    def tell(self) -> int:
        return self._place

    def write(self, data: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        view, written = memoryview(data).cast("B"), 0
        try:
            while written < len(view) and self.failure is None:
                self._file.seek(self._place + written)
                written += self._file.write(view[written:])
        except OSError as error:
            self.failure = error
        if written < len(view):
            self._lost.append((self._place + written, bytes(view[written:])))
        return len(view)

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        view, got = memoryview(buffer).cast("B"), 0
        try:
            self._file.seek(self._place)
            while more := self._file.readinto(view[got:]):
                got += more
        except OSError as error:
            self.failure = self.failure or error
        view[got:] = bytes(len(view) - got)
        for place, lost in self._lost:
            start, stop = max(place, self._place), min(place + len(lost), self._place + len(view))
            if start < stop:
                view[start - self._place : stop - self._place] = lost[start - place : stop - place]
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.failure is None:
                self._file.truncate(self._place if size is None else size)
        except OSError as error:
            self.failure = error
        return size or 0

    def close(self) -> None:
        self._file.close()
        super().close()


def _lock(descriptor: int) -> None:
    """Locks a file as libhdf5 does; some file systems have no locks."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Lets signals that would raise an exception wait for the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python tells signals to its main thread alone
        return
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    former = {n: handler for n in _SIGNALS if callable(handler := signal.getsignal(n))}
    try:
        for number in former:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
