"""Locks that a process holds while it writes somewhere, and that end with it."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError
from armillary.files import beside

try:
    import fcntl
except ImportError:  # where there is no such lock, two runs are kept apart by nothing
    fcntl = None

log = logging.getLogger(__name__)

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems without locks say."""
_TRIES, _PAUSE = 4, 0.05
_held: set[int] = set()
NAME = ".lock"
"""Of the file in a directory that is locked; beside a file it is ``.FILE.lock``."""


def lock_path(place: Path) -> Path:
    """The file that says who writes to a directory, or to a file."""
    place = Path(os.path.realpath(place))
    return place / NAME if place.is_dir() else beside(place, NAME)


@contextmanager
def locked(place: Path, what: str) -> Iterator[None]:
    """Keeps all others from writing to a place; what a dead process locked is free.

    Args:
        place: a directory that is there, or a file whose directory is.
        what: for others to read, such as the command.

    Raises:
        ArmillaryError: another process, or a part of this one, writes there; it is named.
        OSError: the lock cannot be made there.
    """
    if fcntl is None:
        yield
        return
    path = lock_path(place)
    descriptor = _acquire(path)
    if descriptor is None:
        raise ArmillaryError(
            f"{place} is being written to by {_told(path)}; wait for its end, stop it, or choose "
            "another place"
        )
    _held.add(descriptor)
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "what": what}
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(holder).encode())
        yield
    finally:
        if descriptor in _held:  # not in a process that was forked meanwhile
            _held.discard(descriptor)
            path.unlink(missing_ok=True)
            os.close(descriptor)


def is_locked(place: Path) -> bool:
    """Whether a living process writes there; False too where that cannot be known."""
    path = lock_path(place)
    if fcntl is None or not path.is_file():
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _acquire(path: Path) -> int | None:
    """The descriptor of the locked file; None if another has it."""
    for _ in range(_TRIES):  # somebody may only be looking, or be removing the file at its end
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _flock(descriptor)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            time.sleep(_PAUSE)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None


def _flock(descriptor: int) -> None:
    """Locks an open file, where its file system can; BlockingIOError says that another has it."""
    assert fcntl is not None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        log.warning("the file system has no locks: nothing keeps a second run away")


def _forget() -> None:
    """Processes that are forked hold no lock, so that one is free when its own process is dead."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if fcntl is not None:
    os.register_at_fork(after_in_child=_forget)


def _told(path: Path) -> str:
    try:
        holder: Any = json.loads(path.read_text(encoding="utf-8"))
        where = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        return f"{where} ({holder['what']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
