"""Runs one case and says how it ended: read, refused with an error of ours, or a finding."""

from __future__ import annotations

import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from armillary.errors import ArmillaryError, RunError
from tests.reliability.fuzz.reader import Files, Reader

SECONDS, BYTES = 5.0, 1 << 30
"""Processor time of a case, and memory above what the process has before it."""
_FRAMES = 6
_NO_MEMORY = ("memory allocat", "allocate memory", "not enough memory", "unable to allocate")
_OURS = ("/armillary/", "/agent/", "/envs/", "/experiments/", "/planners/", "/world_models/")


@dataclass(frozen=True)
class Finding:
    """What must not happen.

    Attributes:
        kind: exception, crash, hang or memory.
        place: the exception's type and where it arises; the same for the same fault.
        told: message and last frames.
    """

    kind: str
    place: str
    told: str


class Overtime(BaseException):
    """A case took too long; no reader may catch it."""


def put(folder: Path, files: Files, former: Files) -> None:
    """Makes a folder hold the files, where it held the former ones."""
    for name in former:
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        if former.get(name) is not content:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def emptied(folder: Path) -> Path:
    """The folder, new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def outcome(reader: Reader, folder: Path) -> Finding | bool:
    """Whether the files of a folder are read (True) or refused (False), or a finding."""
    try:
        with limited_time():
            reader.read(folder)
    except (ArmillaryError, RunError) as error:
        return _by_memory(error) or False
    except Overtime as error:
        return Finding("hang", _place(error), _told(error))
    except MemoryError as error:
        return Finding("memory", _place(error), _told(error))
    except Exception as error:
        return Finding("exception", _place(error), _told(error))
    return True


@contextmanager
def limited_time() -> Iterator[None]:
    """Raises ``Overtime`` in a block that takes more than ``SECONDS`` of processor time."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit() -> None:
    """Bounds time and memory of this process, for good."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Overtime(f"more than {SECONDS:g} s")

    signal.signal(signal.SIGPROF, stop)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(1000)


def _by_memory(error: BaseException) -> Finding | None:
    """A refusal that only came because there was no memory left."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or any(w in str(cause).lower() for w in _NO_MEMORY):
            return Finding("memory", _place(cause), _told(cause))
        cause = cause.__cause__ or cause.__context__
    return None


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/tests/" not in frame.filename and _own(frame.filename)]
    last = [frame for frame in (ours[-1:] + frames[-1:]) if frame]
    where = " < ".join(dict.fromkeys(f"{_short(f.filename)}:{f.name}" for f in reversed(last)))
    return f"{type(error).__name__} in {where}"


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    lines = [f"{_short(f.filename)}:{f.lineno} {f.name}: {f.line}" for f in frames]
    return "\n".join([f"{type(error).__name__}: {str(error)[:300]}", *lines])


def _own(path: str) -> bool:
    return "site-packages" not in path and any(part in path for part in _OURS)


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])
