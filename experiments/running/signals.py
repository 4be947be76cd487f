"""INT, TERM and HUP: each ends a run cleanly, with the exit code that shells expect."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
ENDING = {number: word for name, word in _WORDS.items() if (number := getattr(signal, name, None))}
"""The signals that end a run, and what is said of them."""


_ONE_WISH = 1.0
"""Seconds in which further signals are the same wish: terminals and wrappers send several."""


class Ended(KeyboardInterrupt):
    """A signal asks the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(ENDING[signal.Signals(number)])
        self.code = 128 + number


def code_of(error: KeyboardInterrupt) -> int:
    """The exit code of what a signal ended."""
    return error.code if isinstance(error, Ended) else 128 + signal.SIGINT


def is_command() -> bool:
    """Whether this process is the command, not one that uses the package, nor a worker."""
    above = sys.modules.get("__mp_main__")  # the command, in the first moments of its worker
    own = above in (None, sys.modules["__main__"])
    return own and sys.argv[0].endswith(("armillary", "cli.py"))


def end_at_once(program: str) -> None:
    """Makes the signals end a process that has written nothing yet; ``ended_by_signals`` follows.

    Imports of compiled libraries turn an exception that a signal raises into errors of their own.
    """

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, f"{program}: {ENDING[signal.Signals(number)]}\n".encode())
        os._exit(128 + number)

    for number in ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)
    _early.append(end)


_early: list[object] = []


_came: list[tuple[int, float]] = []
"""The signals that ended what runs, and when."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Makes INT, TERM and HUP end the block with ``Ended``; those that are ignored stay so."""
    owner = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a process that was forked
            os._exit(128 + number)
        last = _came[-1][1] if _came else -_ONE_WISH
        _came.append((number, time.monotonic()))
        if _came[-1][1] - last > _ONE_WISH:
            raise Ended(number)

    former = {}
    if threading.current_thread() is threading.main_thread():
        taken = {signal.SIG_DFL, signal.default_int_handler, *_early}
        former = {n: signal.getsignal(n) for n in ENDING if signal.getsignal(n) in taken}
    if former:
        _came.clear()
    for number in former:
        signal.signal(number, end)
    try:
        with heeding_signals():
            yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def heeding_signals() -> Iterator[None]:
    """A block that leaves by ``Ended``, whatever is raised in it after a signal.

    Libraries turn an exception inside them into one of theirs, and the same signal may have ended
    a worker first.
    """
    try:
        yield
    except Exception as error:
        if _came:
            raise Ended(_came[0][0]) from error
        raise
