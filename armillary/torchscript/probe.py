"""Loads a TorchScript file in a process of its own, which damage may end.

Run as a script it prints, as JSON, what keeps the file from being loaded; nothing where torch
itself can say it. It imports nothing of this project.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

_SPARE, _COPIES = 256 << 20, 4
"""Bytes that loading may take, and that for each byte of the file."""
_NO_MEMORY = ("alloc", "memory")


def bound(path: str, seconds: float) -> None:
    """Ends this process when it takes too much time or memory, where it can."""
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + _COPIES * os.path.getsize(path) + _SPARE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def undebugged(path: str) -> io.BytesIO:
    """The archive without what says where in its source an operation stands.

    Torch reads that when an operation fails, and aborts the process where it is damaged. What is
    left is compared with its checksums.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(content, "w") as kept:
        for entry in archive.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                kept.writestr(entry.filename, archive.read(entry))
    content.seek(0)
    return content


def look(path: str) -> dict[str, Any]:
    """``error`` if the file asks for memory that its bytes do not justify."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.load(undebugged(path), map_location="cpu")
    except Exception as error:
        text = str(error)
        if isinstance(error, MemoryError) or any(word in text for word in _NO_MEMORY):
            return {"error": "it asks for more memory than its bytes justify"}
    return {}


if __name__ == "__main__":
    bound(sys.argv[1], float(sys.argv[2]))
    print(json.dumps(look(sys.argv[1])))
