"""Torch's threads while something long is computed: they follow the processors that are free."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from armillary import processors

log = logging.getLogger(__name__)

SHARED_VALUES = 32_768
"""Results of fewer values are computed by one thread (``at::internal::GRAIN_SIZE`` of torch)."""


class Threads:
    """The number of threads of a run of training, or of an agent that plans.

    The rule: it starts with as many threads as processors are free, a resumed run with as many as
    it had when it was saved; every two seconds it looks, and changes the number where others need
    more or less for several looks. The most is what torch has at the start, and no more than the
    processors that this process may use. A number that the user set is kept: ``chosen``, or
    ``OMP_NUM_THREADS``. Several processes share the processors equally and keep their number.

    Args:
        chosen: by the user; None follows.
        share: among how many processes of this machine the processors are shared; None for a run
            of one process.
        workers: processes that this one starts, each with a thread: they are left a processor each
            at first, and more where they use more.
        meter: says what is free; by default the system's.
        first: the number to start with, given the most.
        clock: seconds.
    """

    def __init__(
        self,
        chosen: int | None = None,
        share: int | None = None,
        workers: int = 0,
        *,
        meter: Callable[[], processors.Meter] = processors.Meter,
        first: Callable[[int], int] = processors.first_number,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chosen = chosen
        self._share = share
        self._workers = workers
        self._make_meter, self._first, self._clock = meter, first, clock
        self._follower = processors.Follower(1, 1)
        self._before: int | None = None
        self._narrow = self._known = False

    @property
    def number(self) -> int:
        """Of the run; what is too small for it has one."""
        return self._follower.number

    @property
    def follows(self) -> bool:
        """Whether the number may change."""
        return self._follower.least < self._follower.most

    def start(self, recorded: int | None = None) -> None:
        """Sets the first number.

        Args:
            recorded: of the run that is continued; None for a new one.
        """
        self._before = torch.get_num_threads()
        usable = max(1, processors.usable() // (self._share or 1))
        left = max(1, usable - self._workers)
        if self._chosen is not None:
            self._keep(self._chosen)
        elif processors.set_by_user(os.environ):
            self._keep(self._before)
        elif self._share is not None:
            self._keep(min(self._before, left))
        else:
            most = min(self._before, usable)
            number = min(self._first(most) if recorded is None else recorded, most, left)
            self._follower = processors.Follower(most, number)
            if number < most:
                log.info("%d of %d threads: others use the other processors", number, most)
        processes = self._share or 1
        told = processors.too_many(processes, self.number + self._workers)
        if told and (self._chosen is not None or processors.set_by_user(os.environ)):
            several = f"{processes} processes of " * (processes > 1)
            log.info("%s%d threads and %d workers: %s", several, self.number, self._workers, told)
        if self.follows:
            self._meter = self._make_meter()
            self._looked = self._clock()
        self.whole()

    def look(self, when: str = "planning") -> None:
        """Between two pieces of work: follows what is free.

        Args:
            when: for the log.
        """
        if not self.follows or self._clock() - self._looked < processors.EVERY:
            return
        self._looked = self._clock()
        before = self.number
        free = self._meter.free(self._current)
        if self._follower.see(free) != before:
            log.info(
                "%s: %d threads instead of %d, since others leave %.1f of %d processors",
                *(when, self.number, before, free, processors.usable()),
            )
        self._apply()

    def whole(self) -> None:
        """For work of any size: the number of the run."""
        self._narrow = False
        self._apply()

    def suit(self, largest: int) -> bool:
        """One thread until ``whole`` is called, where no result is large enough to be shared.

        Args:
            largest: values of the largest result of what is computed, see ``Sizes``.

        Returns:
            Whether it is one for that reason.
        """
        self._narrow = self.follows and largest < SHARED_VALUES
        self._apply()
        return self._narrow

    @contextmanager
    def working(self) -> Iterator[None]:
        """A piece of work that comes again and again; torch has its own number back after it.

        The first one says whether they are too small for two threads.
        """
        if torch.get_num_threads() == self._before:
            self.look()
            self._apply()
        else:  # the first time, or the user has given torch another number since
            self.start()
            self._known = False
        sizes = Sizes()
        measured = self.follows and not self._known
        try:
            with _as_written() if measured else nullcontext(), sizes if measured else nullcontext():
                yield
            if measured:
                self._known = True
                self.suit(sizes.largest)
        finally:
            self.stop()

    def stop(self) -> None:
        """Gives torch back the number that it had."""
        assert self._before is not None
        torch.set_num_threads(self._before)

    def _keep(self, number: int) -> None:
        self._follower = processors.Follower(number, number, least=number)

    @property
    def _current(self) -> int:
        return 1 if self._narrow else self.number

    def _apply(self) -> None:
        if torch.get_num_threads() != self._current:
            torch.set_num_threads(self._current)


def _as_written() -> AbstractContextManager[Any]:
    """A block in which nothing is compiled: what would be, inside a ``Sizes``, never is again."""
    compiles = "torch._dynamo" in sys.modules  # importing it takes seconds
    return torch.compiler.set_stance("force_eager") if compiles else nullcontext()


class Sizes(TorchDispatchMode):
    """A block that remembers the number of values of the largest result in it, ``largest``."""

    largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.largest = max([self.largest, *sizes])
        return result
