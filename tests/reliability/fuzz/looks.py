"""Looks at files in processes that are forked: new ones take a hundred times longer.

Readers start an interpreter for a look at a file that might crash it. Here a small process is
started once, and forks for each look: the same code under the same bounds, which ends, crashes or
hangs as it does in an interpreter of its own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from armillary import hdf5, looks, torchscript


def install() -> None:
    """Makes this process's reader ask a small process for its looks, for good."""

    @cache
    def started() -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        words = [sys.executable, "-m", __name__]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, stdin=pipe, stdout=pipe, env=environment, text=True)

    def run(words: Sequence[str], timeout: float, **options: Any) -> Any:
        server = started()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps([*words[-3:], timeout]) + "\n")
        server.stdin.flush()
        code, said = json.loads(server.stdout.readline())
        return subprocess.CompletedProcess(words, code, said.encode(), b"")

    stand_in = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
    looks.subprocess = stand_in  # pyright: ignore[reportAttributeAccessIssue]


def serve() -> None:
    """The small process: answers until nobody asks any more."""
    for line in sys.stdin:
        script, path, seconds, timeout = json.loads(line)
        probe = _probe(script)
        ends, writes = os.pipe()
        child = os.fork()
        if not child:
            _look(probe, path, float(seconds), writes)
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
        print(json.dumps([code, said.decode(errors="replace")]), flush=True)


@cache
def _probe(script: str) -> ModuleType:
    """The module of a script, imported when it is first asked for."""
    packages = (hdf5, torchscript)
    (name,) = {p.__name__ for p in packages if Path(script).parent == Path(p.__path__[0])}
    return import_module(f"{name}.probe")


def _look(probe: ModuleType, path: str, seconds: float, writes: int) -> None:
    """The forked process; never returns."""
    code = 1
    try:
        probe.bound(path, seconds)
        os.write(writes, json.dumps(probe.look(path)).encode())
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
