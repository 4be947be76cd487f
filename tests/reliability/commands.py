"""Runs command lines in forks of a warm process: in a folder, with trouble at a call, or killed."""

from __future__ import annotations

import importlib
import os
import pkgutil
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from armillary.experiments import verbs
from tests.reliability.calls import Trouble, arm, seen

_PATIENCE = 120.0
"""Seconds until a command counts as hanging."""
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: exit code, or minus the signal's number.
        calls: that it made; 0 where it was killed.
        told: stdout and stderr.
        seconds: that it took.
    """

    code: int
    calls: int
    told: str
    seconds: float


def warm_up(modules: Sequence[str] = ()) -> None:
    """Imports every verb, and other modules, so that forks need not."""
    for found in pkgutil.iter_modules(verbs.__path__):
        importlib.import_module(f"{verbs.__name__}.{found.name}")
    for name in modules:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except ImportError:  # made by the program itself, as by a template
                continue


def run(
    words: Sequence[str],
    folder: Path,
    trouble: Trouble = Trouble.NONE,
    call: int = 0,
    *,
    kill_after: float | None = None,
    largest_file: int | None = None,
    modules: Path | None = None,
) -> Ended:
    """Runs ``armillary WORDS`` in a fork whose working directory is the folder.

    Args:
        words: of the command line.
        folder: where.
        trouble: what happens at a call.
        call: which, counted from 1.
        kill_after: seconds until SIGKILL.
        largest_file: bytes that a file may have, the limit of ``ulimit -f``.
        modules: a file for the names of the modules that are loaded in the end.
    """
    console = folder.with_name(f"{folder.name}.console")
    read, write = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(words, folder, console, write, trouble, call, largest_file, modules)
    os.close(write)
    limit = _PATIENCE if kill_after is None else kill_after
    code = _wait(child, started + limit)
    with open(read, encoding="utf-8") as pipe:
        count = int(pipe.read() or "0")
    told = console.read_text(encoding="utf-8", errors="replace")
    if kill_after is None and time.monotonic() - started >= _PATIENCE:
        told += "\nTHE COMMAND HANGS"
    return Ended(code, count, told, time.monotonic() - started)


def _child(
    words: Sequence[str],
    folder: Path,
    console: Path,
    pipe: int,
    trouble: Trouble,
    call: int,
    largest_file: int | None,
    modules: Path | None,
) -> None:
    code = 70
    try:
        output = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        from armillary.experiments.cli import main

        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        arm(trouble, call)
        try:
            code = main(words)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            code = 1
            traceback.print_exc()
        count = seen()
        sys.stdout.flush()
        sys.stderr.flush()
        arm(Trouble.NONE)
        if modules is not None:
            modules.write_text("\n".join(sys.modules), encoding="utf-8")
        os.write(pipe, str(count).encode())
    finally:
        os._exit(code)


def _wait(child: int, until: float) -> int:
    """Its exit code; it is killed when it is time."""
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
