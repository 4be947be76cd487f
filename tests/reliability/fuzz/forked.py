"""The look at an HDF5 file in a process of its own, forked: a new one takes a hundred times longer.

The reader starts a new interpreter for each old kind of file. A fork that runs the same look under
the same bounds ends, crashes or hangs as that one does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from armillary import hdf5, hdf5_probe


def install() -> None:
    """Makes the reader's process a fork, in this process for good."""
    hdf5.subprocess = _Subprocess  # pyright: ignore[reportAttributeAccessIssue]


class _Subprocess:
    """What the reader takes from ``subprocess``."""

    TimeoutExpired = subprocess.TimeoutExpired

    @staticmethod
    def run(words: Sequence[str], timeout: float, **options: Any) -> Any:
        """The same as that of the interpreter's library, for the look alone."""
        path, seconds = words[-2:]
        ends, writes = os.pipe()
        child = os.fork()
        if not child:
            _look(path, float(seconds), writes)
        os.close(writes)
        said = b""
        while select.select([ends], [], [], timeout)[0]:
            piece = os.read(ends, 1 << 16)
            if not piece:
                break
            said += piece
        else:
            os.kill(child, signal.SIGKILL)
        os.close(ends)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return subprocess.CompletedProcess(words, code, said, b"")


def _look(path: str, seconds: float, writes: int) -> None:
    """The forked process; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        hdf5_probe._bound(seconds)
        os.write(writes, json.dumps(hdf5_probe._look(path)).encode())
        code = 0
    finally:
        os._exit(code)
