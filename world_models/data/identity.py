"""What identifies a file of episodes: its content, whatever it is called and wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np

CONTENT_ID = "content_id"
"""Root attribute of a written file: a digest of every number in it."""
DECISIVE = (CONTENT_ID, "layout", "scale")
"""What of an identity must be the same for two to be the same data."""

_WHOLE = 64 << 20
"""Bytes up to which a file is read from end to end."""
_SAMPLES, _SAMPLE = 64, 1 << 20
"""How many pieces of a larger file are read, evenly spread, and their size."""
_SHORT = 12
"""Characters of an id that messages show."""


class ContentHash:
    """A digest of the arrays of all episodes, built up while they are written.

    It depends on the order of the episodes within each split, and not on how splits alternate.
    """

    def __init__(self) -> None:
        self._splits: dict[str, Any] = {}

    def add(self, split: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Takes an episode of a split: its arrays of any shape, by name."""
        digest = self._splits.setdefault(split, blake2b(digest_size=32))
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.shape} {array.dtype.str};".encode())
            digest.update(np.ascontiguousarray(array).tobytes())

    def hexdigest(self) -> str:
        """Of the episodes so far, in 64 hexadecimal digits."""
        parts = [f"{name} {digest.hexdigest()}" for name, digest in sorted(self._splits.items())]
        return sha256("\n".join(parts).encode()).hexdigest()


def content_id(path: str | Path, written: str | None) -> str:
    """The id of a file: a SHA-256 in hexadecimal digits, the same for a copy at another place.

    Of a file that says its ``CONTENT_ID`` it covers every number as it was written, and what was
    changed since as far as ``content_digest`` sees it.

    Args:
        path: of the file.
        written: its attribute ``CONTENT_ID``; None where it has none.

    Raises:
        OSError: it cannot be read.
    """
    digest = content_digest(path)
    return digest if written is None else sha256(f"{written} {digest}".encode()).hexdigest()


def content_digest(path: str | Path) -> str:
    """A hexadecimal SHA-256 of a file's size and content; of large files, 64 MiB of it.

    The first and the last piece are among those read, so that a file that grew, was cut or has
    other attributes is another one.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be read.
    """
    size = os.stat(path).st_size
    digest = sha256(str(size).encode())
    with open(path, "rb") as file:
        if size <= _WHOLE:
            digest.update(file.read())
        else:
            for index in range(_SAMPLES):
                file.seek(index * (size - _SAMPLE) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def changed(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """How two identities differ, as messages say it; None where they do not, or none can tell.

    Args:
        there: of the data that work was begun with, as ``EpisodeFile.identity`` gives it.
        here: of the data that are given now.
    """
    names = [n for n in DECISIVE if there.get(n) and here.get(n) and there[n] != here[n]]
    if not names:
        return None
    return f"{_named(there, names)} there and {_named(here, names)} here"


def _named(identity: Mapping[str, Any], names: list[str]) -> str:
    told = [f"id {str(identity[CONTENT_ID])[:_SHORT]}"] if identity.get(CONTENT_ID) else []
    told += [f"{name} {identity[name]}" for name in names if name != CONTENT_ID]
    return f"{identity.get('path', 'a file')} ({', '.join(told)})"
