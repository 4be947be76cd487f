"""The one way to work in several processes: an ordered map, and one story for how workers end."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self, TypeVar

from armillary.errors import RunError
from armillary.processors import too_many, usable

log = logging.getLogger(__name__)

AHEAD = 4
"""Jobs for each worker that are begun before their turn to be yielded."""
_PATIENCE = 5.0
"""Seconds that a worker has to tidy up before it is killed."""
_TERMINATED = 128 + signal.SIGTERM

In = TypeVar("In")
Out = TypeVar("Out")


def worker_count(workers: int, jobs: int | None = None) -> int:
    """How many processes a user's ``workers`` means.

    Args:
        workers: as asked for; -1 is one per processor that this process may use.
        jobs: more processes than these would have nothing to do; None where they are many.

    Returns:
        The number of processes; 0, which is this one, instead of a single worker.
    """
    count = usable() if workers < 0 else workers
    count = count if jobs is None else min(count, jobs)
    return count if count > 1 else 0


class Pool:
    """Worker processes that are started with the first job; with none, this process works.

    Results come in the order of the jobs, whatever the number of workers. Workers leave Ctrl-C and
    the end of a terminal to this process, and are ended when the ``with`` block is left by an
    exception, with time to leave no half-written file; they also end when this process is killed.
    One that dies is an error.

    Args:
        workers: processes, or 0.
        prepare: called in each worker before its first job.
        arguments: of ``prepare``; picklable.
        threads: of torch and numerical libraries in each worker.
        hint: ends the message about a worker that died.
    """

    def __init__(
        self,
        workers: int,
        prepare: Callable[..., object] | None = None,
        arguments: Sequence[Any] = (),
        *,
        threads: int = 1,
        hint: str = "fewer workers need less memory",
    ) -> None:
        self._workers = workers
        exact = (
            "torch" in sys.modules and sys.modules["torch"].are_deterministic_algorithms_enabled()
        )
        self._start = (threads, exact, prepare, tuple(arguments))
        self._hint = hint
        self._context = _Context()
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._terminate()
        self.close()

    def map(self, work: Callable[[In], Out], jobs: Iterable[In]) -> Iterator[Out]:
        """What ``work`` makes of every job, in their order; a few jobs are begun ahead.

        Args:
            work: a function of a module, or a ``partial`` of one.
            jobs: picklable; read as they are needed.

        Raises:
            RunError: a worker died; the message says how.
            Exception: what ``work`` raises for a job, in its turn.
        """
        if not self._workers:
            yield from map(work, jobs)
            return
        left = iter(jobs)
        try:
            waiting = deque(self._submit(work, islice(left, AHEAD * self._workers)))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(self._submit(work, islice(left, 1)))
                yield result
        except BrokenProcessPool as error:
            self.close()
            how = self._context.death()
            raise RunError(f"a worker process died: {how}; {self._hint}") from error

    def close(self) -> None:
        """Ends the workers once they have finished what they are at; more jobs start new ones."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _submit(self, work: Callable[[In], Out], jobs: Iterable[In]) -> Iterator[Future[Out]]:
        if self._executor is None:
            self._context = _Context()
            if told := too_many(self._workers, self._start[0]):
                log.info("%d workers: %s", self._workers, told)
            with _no_interrupt():  # Python starts a process of its own with the first executor
                self._executor = ProcessPoolExecutor(
                    self._workers, self._context, _begin, self._start
                )
        for job in jobs:
            with _no_interrupt():
                future = self._executor.submit(_call, work, job)
            yield future

    def _terminate(self) -> None:
        """Ends the workers whatever they are at."""
        if self._executor is None:
            return
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in self._context.started:
            process.terminate()
        until = time.monotonic() + _PATIENCE
        for process in self._context.started:
            process.join(max(0.0, until - time.monotonic()))
            process.kill()


class _Context(SpawnContext):
    """Starts processes anew, since threads do not survive a fork, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[BaseProcess] = []

    def Process(self, *arguments: Any, **keywords: Any) -> BaseProcess:  # pyright: ignore  # noqa: N802
        process = super().Process(*arguments, **keywords)
        self.started.append(process)
        return process

    def death(self) -> str:
        """How the first one ended that was not ended because of another."""
        codes = [process.exitcode for process in self.started]
        first = next((c for c in codes if c not in (None, 0, _TERMINATED, -signal.SIGTERM)), None)
        if first is None:
            prepared = not all(code == 0 for code in codes)
            return "it was terminated" if prepared else "it could not be prepared (see above)"
        if first >= 0:
            return f"it ended with exit code {first}"
        name = signal.Signals(-first).name
        memory = ", perhaps for lack of memory" if name == "SIGKILL" else ""
        return f"it was ended by {name}{memory}"


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Holds back what a terminal sends to all, also from a process that is started here."""
    if os.name != "posix":
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _begin(
    threads: int,
    exact: bool,
    prepare: Callable[..., object] | None,
    arguments: tuple[Any, ...],
) -> None:
    """Makes a process that was started a worker, with deterministic kernels if its parent has."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it died while this one was started
        os._exit(_TERMINATED)
    threading.Thread(target=_follow_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for libraries that are still to be loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if exact:
        from armillary.determinism import switch

        switch(True)
    if prepare is not None:
        prepare(*arguments)


def _call(work: Callable[[In], Out], job: In) -> Out:
    """Does a job; ``sys.exit`` in it, which is also how a worker is ended, ends the process."""
    try:
        return work(job)
    except SystemExit as error:
        os._exit(error.code if isinstance(error.code, int) else 1)


def _follow_parent() -> None:
    """Ends a worker when the process that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE)
        os._exit(_TERMINATED)
