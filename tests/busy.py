"""A machine of four processors, and others who use some of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from armillary import processors
from armillary.processors import EVERY, Meter, Usage
from armillary.threads import Threads


@contextmanager
def four_processors() -> Iterator[None]:
    """Four processors, four threads of torch, and a user who says nothing."""
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patched:
        for name in processors.WAITING:
            patched.delenv(name, raising=False)
        patched.setattr(processors, "_affinity", lambda: frozenset(range(4)))
        torch.set_num_threads(4)
        yield
    torch.set_num_threads(before)


class Busy:
    """A meter and a clock: others use ``others`` processors, and a look is due at every step."""

    def __init__(self, others: float = 0.0) -> None:
        self.others, self.time, self.used = others, 0.0, 0.0

    def clock(self) -> float:
        self.time += EVERY
        self.used += EVERY * self.others
        return self.time

    def threads(
        self, chosen: int | None = None, share: int | None = None, workers: int = 0
    ) -> Threads:
        return Threads(
            chosen,
            share,
            workers,
            meter=lambda: Meter(lambda: Usage(self.time, 0.0, self.used)),
            first=lambda most: most,
            clock=self.clock,
        )
