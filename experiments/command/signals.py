"""INT, TERM and HUP: each ends a run cleanly, with the exit code that shells expect."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
ENDING = {number: word for name, word in _WORDS.items() if (number := getattr(signal, name, None))}
"""The signals that end a run, and what is said of them."""


class Ended(KeyboardInterrupt):
    """A signal other than Ctrl-C asks the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(ENDING[signal.Signals(number)])
        self.code = 128 + number


def code_of(error: KeyboardInterrupt) -> int:
    """The exit code of what a signal ended."""
    return error.code if isinstance(error, Ended) else 128 + signal.SIGINT


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


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Makes TERM and HUP end the block as Ctrl-C does; those that are ignored stay so."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    former = {}
    if threading.current_thread() is threading.main_thread():
        taken = {signal.SIG_DFL, signal.default_int_handler, *_early}
        former = {n: signal.getsignal(n) for n in ENDING if signal.getsignal(n) in taken}
    for number in former:
        handler = signal.default_int_handler if number == signal.SIGINT else end
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
