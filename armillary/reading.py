"""The one place where what parsers raise for damaged or strange files becomes a user's mistake."""

from __future__ import annotations

import errno
import json
import pickle
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError, RunError, shortened

_RAISED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What parsers are seen to raise for files that are damaged, cut off or something else."""
_UNNAMED = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, TypeError)
"""Exceptions whose text says little without their name."""
_OF_THE_MACHINE = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC)
"""Errors of the system that say nothing about the file."""
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 200


@contextmanager
def reading(
    path: Path | str,
    problem: str,
    kind: type[ArmillaryError] = ArmillaryError,
    *more: type[Exception],
) -> Iterator[None]:
    """Turns what a parser raises for a file's content into the family's error, with the cause.

    The block holds the parser's calls and nothing else: a defect of ours in it would be told as a
    damaged file. Errors of the ``kind`` pass.

    Args:
        path: of the file, which the message starts with.
        problem: what is then wrong with it, ``is no GIF`` say.
        kind: of the error; constructed from the path and the message.
        more: exceptions of this parser that are none of Python's.

    Raises:
        ArmillaryError: of the ``kind``.
    """
    try:
        yield
    except (kind, RunError):
        raise
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            raise
        raise kind(path, f"{problem} ({cause(error)})") from error
    except (*_RAISED, *more) as error:
        raise kind(path, f"{problem} ({cause(error)})") from error


def cause(error: BaseException) -> str:
    """An exception as a few words on one line, without its parser's colours."""
    if isinstance(error, ArmillaryError):
        return str(error)
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    name = type(error).__name__
    if not lines:
        return name
    text = shortened(" ".join(lines[:2]), _LONGEST)
    return f"{name}: {text}" if isinstance(error, _UNNAMED) else text


def read_json(path: Path, kind: type[ArmillaryError] = ArmillaryError) -> dict[str, Any]:
    """A file that holds a JSON dictionary.

    Raises:
        ArmillaryError: of the ``kind``: it cannot be read, is no JSON (which has no NaN), or holds
            something else.
    """
    with reading(path, "is damaged: it cannot be read as JSON", kind):
        content = json.loads(path.read_bytes(), parse_constant=_no_number)
    if not isinstance(content, dict):
        raise kind(path, f"must hold a dictionary, got {shortened(repr(content), 60)}")
    return content


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")
