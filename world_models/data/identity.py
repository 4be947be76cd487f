"""What identifies a file of episodes: its content, whatever it is called and wherever it lies."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

_WHOLE = 64 << 20
"""Bytes up to which a file is read from end to end."""
_SAMPLES, _SAMPLE = 64, 1 << 20
"""How many pieces of a larger file are read, evenly spread, and their size."""


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
