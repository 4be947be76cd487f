"""Counts the file-system calls of this process and its forks, and ends one of them at any call."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from enum import IntEnum
from pathlib import Path

_SOURCE = Path(__file__).with_name("calls.c")
_VARIABLE = "ARMILLARY_CALLS"


class Trouble(IntEnum):
    """What happens at a call; the numbers are those of ``calls.c``.

    ``FULL``: the disk has room for half of what that call writes, and for nothing after it.
    """

    NONE, BEFORE, AFTER, TORN, FULL = range(5)


def available() -> bool:
    """Whether calls can be counted here: on Linux, with a C compiler."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def counted(scratch: Path) -> dict[str, str]:
    """The environment of processes whose calls are counted; the library is built in a folder."""
    library = scratch / "calls.so"
    compiler = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", str(_SOURCE), "-ldl"]
    subprocess.run([*compiler, "-o", str(library)], check=True)
    one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return {**os.environ, **one, "LD_PRELOAD": str(library), _VARIABLE: "1"}


def ensure_counted(module: str, **variables: str) -> None:
    """Starts the program ``python -m MODULE`` anew unless its calls are counted already."""
    if os.environ.get(_VARIABLE):
        return
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**counted(Path(scratch)), **variables}
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        sys.exit(subprocess.run(command, env=environment).returncode)


def arm(trouble: Trouble, call: int = 0) -> None:
    """Begins to count at 0; the trouble comes at this call, counted from 1, or never for 0."""
    ctypes.CDLL(None).calls_arm(int(trouble), ctypes.c_long(call))


def seen() -> int:
    """Calls since ``arm``."""
    count = ctypes.CDLL(None).calls_seen
    count.restype = ctypes.c_long
    return count()
