"""The one way to write a file that is either whole or not there."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError

_LONGEST_NAME = 255
"""Bytes of a name in the usual file systems."""
_PARTIAL = re.compile(
    r"\.(?P<name>.+)(?P<end>\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)\.[0-9a-f]{8}\.partial)", re.DOTALL
)
_WRITTEN: set[Path] = set()
"""What this process is writing at the moment."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Gives a path beside the target to write to, and moves it there when the block ends well.

    A block that raises leaves the target as it was and nothing beside it. A link is followed: what
    it names is replaced. The file keeps the permissions of the one that it replaces.

    Args:
        path: of the file; its folder must be there.

    Raises:
        ArmillaryError: something that is no regular file is in the place.
    """
    target = Path(os.path.realpath(path))
    check_replaceable(target)
    partial = beside(target, f".{_host()}-{os.getpid()}.{secrets.token_hex(4)}.partial")
    _WRITTEN.add(partial)
    try:
        yield partial
        settle(partial, target)
    finally:
        partial.unlink(missing_ok=True)
        _WRITTEN.discard(partial)


def beside(path: Path, ending: str) -> Path:
    """A hidden name beside a path, cut where it would be longer than a name may be."""
    name = os.fsencode(path.name)[: _LONGEST_NAME - 1 - len(os.fsencode(ending))]
    return path.with_name(f".{os.fsdecode(name)}{ending}")


def target_of(path: str) -> str:
    """What a file that ``replacing`` gave was to become; another path as it is."""
    folder, name = os.path.split(path)
    found = _PARTIAL.fullmatch(name)
    return os.path.join(folder, found["name"]) if found else path


def remove_leftovers(place: Path) -> None:
    """Removes what processes of this machine that died left while they wrote.

    Args:
        place: a file, or a directory with all that is in it; it need not be there.
    """
    place = Path(os.path.realpath(place))
    inside = place.is_dir()
    for path in place.rglob(".*.partial") if inside else place.parent.glob(".*.partial"):
        found = _PARTIAL.fullmatch(path.name)
        if found and (inside or beside(place, found["end"]) == path) and _is_left(path, found):
            path.unlink(missing_ok=True)


def _is_left(partial: Path, found: re.Match[str]) -> bool:
    """Whether the process that was writing it is known to be dead."""
    if found["host"] != _host() or os.name != "posix":
        return False
    pid = int(found["pid"])
    if pid == os.getpid():  # or one before, which had the same number
        return partial not in _WRITTEN
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


@cache
def _host() -> str:
    """This machine; in a container with its numbering of processes."""
    numbering = ""
    with suppress(OSError):
        numbering = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{socket.gethostname()} {numbering}'.encode()):08x}"


def settle(partial: Path, target: Path) -> None:
    """Makes a file that is written durable and gives it its name, in one step for all who look.

    Raises:
        ArmillaryError: something that is no regular file is in the place.
    """
    check_replaceable(target)
    if target.exists():
        shutil.copymode(target, partial)
    with partial.open("r+b") as written:
        os.fsync(written.fileno())
    os.replace(partial, target)
    sync_folder(target.parent)


def check_replaceable(path: Path) -> None:
    """Raises ArmillaryError if a directory, a device or the like is where a file is to be."""
    if path.exists() and not path.is_file():
        kind = "a directory" if path.is_dir() else "no regular file"
        raise ArmillaryError(f"{path} is {kind}, which no file can replace; choose another path")


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can (Windows cannot)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Writes or replaces a file of bytes; see ``replacing``."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    """Writes or replaces a file of UTF-8 text; see ``replacing``."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, content: Any) -> None:
    """Writes or replaces a file of JSON; see ``replacing``.

    Raises:
        ValueError: the content holds NaN or infinity, which JSON has not.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
