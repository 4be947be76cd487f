"""The one way to write a file that is either whole or not there."""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError


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
    partial = target.with_name(f".{target.name}.{_owner()}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        settle(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(place: Path) -> None:
    """Removes what processes of this machine that died left while they wrote.

    Args:
        place: a file, or a directory with all that is in it; it need not be there.
    """
    place = Path(os.path.realpath(place))
    inside = place.is_dir()
    pattern = ".*.partial" if inside else f".{glob.escape(place.name)}.*.partial"
    for path in place.rglob(pattern) if inside else place.parent.glob(pattern):
        host, _, process = path.name.split(".")[-3].partition("-")
        if host == _host() and process.isdecimal() and not _is_alive(int(process)):
            path.unlink(missing_ok=True)


def _owner() -> str:
    """This process, as the names of unfinished files say it."""
    return f"{_host()}-{os.getpid()}"


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
