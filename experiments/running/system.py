"""Errors of the operating system, told as what they are: a mistake of the user's, or bad luck."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from armillary.experiments.command.errors import RunError, UsageError
from armillary.files import target_of

_MISTAKES = {
    errno.EACCES: "choose a place that you may use, or change its permissions",
    errno.EPERM: "choose a place that you may use, or change its permissions",
    errno.EROFS: "choose a place that can be written to",
    errno.ENOTDIR: "a part of the path is a file; choose another path",
    errno.EISDIR: "name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle; choose another path",
    errno.EEXIST: "choose another path",
    errno.ENOENT: "a folder or file of this name is needed",
}
_FAILURES = {
    errno.ENOSPC: "make room; the same command goes on where it can",
    errno.EDQUOT: "make room; the same command goes on where it can",
    errno.EFBIG: "make room or raise the limit of file sizes",
    errno.EIO: "the disk or the network failed; check it and run the command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or take fewer workers",
    errno.ENFILE: "close other programs, or take fewer workers",
    errno.ESTALE: "the network lost the file; run the command again",
    errno.ENOMEM: "take smaller batches or fewer workers",
}

_IN_TEXT = re.compile(r"errno = (\d+)")  # how HDF5 tells it


@contextmanager
def told() -> Iterator[None]:
    """Turns what the system refused inside the block into a line and its remedy.

    Raises:
        UsageError: a path that cannot be used.
        RunError: the disk is full, the limit of open files is reached, and the like.
        OSError: any other, and one that names no path where a mistake would have one.
    """
    try:
        yield
    except OSError as error:
        written = _IN_TEXT.search(str(error))
        number = error.errno or (int(written[1]) if written else None)
        path = None if error.filename is None else target_of(os.fsdecode(error.filename))
        reason = f"{os.strerror(number or 0)}: {path}" if path else os.strerror(number or 0)
        if number in _FAILURES:
            raise RunError(f"{reason}; {_FAILURES[number]}") from error
        if number in _MISTAKES and path is not None:
            raise UsageError(f"{reason}; {_MISTAKES[number]}") from error
        raise
