"""Torch's threads while a model is trained: they follow the processors that are free."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from armillary import processors
from armillary.world_models.model import WorldModel
from armillary.world_models.training import randomness
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import Batch

log = logging.getLogger(__name__)

SHARED_VALUES = 32_768
"""Results of fewer values are computed by one thread (``at::internal::GRAIN_SIZE`` of torch)."""


class Threads:
    """The number of threads of a run.

    The rule: a run starts with as many threads as processors are free, a resumed one with as many
    as it had when it was saved; every two seconds it looks, and changes the number where others
    need more or less for several looks. The most is what torch has when the run starts, and no more
    than the processors that this process may use. A number that the user set is kept: ``chosen``,
    or ``OMP_NUM_THREADS``. Several processes share the processors equally and keep their number.

    Args:
        chosen: by the user; None follows.
        share: among how many processes of this machine the processors are shared; None for a run
            of one process.
        meter: says what is free; by default the system's.
        first: the number to start with, given the most.
        clock: seconds.
    """

    def __init__(
        self,
        chosen: int | None = None,
        share: int | None = None,
        *,
        meter: Callable[[], processors.Meter] = processors.Meter,
        first: Callable[[int], int] = processors.first_number,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chosen = chosen
        self._share = share
        self._make_meter, self._first, self._clock = meter, first, clock
        self._follower = processors.Follower(1, 1)
        self._narrow = False

    @property
    def number(self) -> int:
        """Of the run; a stage that is too small for it has one."""
        return self._follower.number

    def start(self, recorded: int | None = None) -> None:
        """Sets the first number.

        Args:
            recorded: of the run that is continued; None for a new one.
        """
        self._before = torch.get_num_threads()
        usable = max(1, processors.usable() // (self._share or 1))
        if self._chosen is not None:
            self._keep(self._chosen)
        elif processors.set_by_user(os.environ):
            self._keep(self._before)
        elif self._share is not None:
            self._keep(min(self._before, usable))
        else:
            most = min(self._before, usable)
            number = self._first(most) if recorded is None else min(recorded, most)
            self._follower = processors.Follower(most, number)
            if number < most:
                log.info("%d of %d threads: others use the other processors", number, most)
        self._follows = self._follower.least < self._follower.most
        if self._follows:
            self._meter = self._make_meter()
            self._looked = self._clock()
        self.whole()

    def look(self, step: int) -> None:
        """Between two steps: follows what is free.

        Args:
            step: for the log.
        """
        if not self._follows or self._clock() - self._looked < processors.EVERY:
            return
        self._looked = self._clock()
        before = self.number
        free = self._meter.free(torch.get_num_threads())
        if self._follower.see(free) != before:
            log.info(
                "step %d: %d threads instead of %d, since others leave %.1f of %d processors",
                *(step, self.number, before, free, processors.usable()),
            )
        self._apply()

    def whole(self) -> None:
        """For work that is not a stage's: the number of the run."""
        self._narrow = False
        self._apply()

    def suit(self, model: WorldModel, batch: Batch, stage: Stage, parts: int) -> None:
        """One thread until ``whole`` is called, where a stage is too small for two.

        It is where no result that its loss computes is large enough to be shared. This is counted
        on one clip, so it is the same on every machine and after every resumption.

        Args:
            model: in training.
            batch: one of the stage's.
            stage: that starts.
            parts: in how many parts the batch is worked through.
        """
        device = model.action_mean.device
        if not self._follows or device.type != "cpu":
            return
        clips = stage.batch_size // parts
        first = batch.parts(stage.batch_size)[0]
        self._narrow = clips * largest_result(model, first, stage.objective) < SHARED_VALUES
        if self._narrow:
            log.info("one thread: a step of %s is too small for two", stage.objective)
        self._apply()

    def stop(self) -> None:
        """Gives torch back the number that it had."""
        torch.set_num_threads(self._before)

    def _keep(self, number: int) -> None:
        self._follower = processors.Follower(number, number, least=number)

    def _apply(self) -> None:
        number = 1 if self._narrow else self.number
        if torch.get_num_threads() != number:
            torch.set_num_threads(number)


def largest_result(model: WorldModel, batch: Batch, objective: str) -> int:
    """Values of the largest tensor that the loss of a batch computes.

    Changes neither the model nor the random numbers of training.
    """
    training, sizes = model.training, _Sizes()
    model.eval()
    isolated = randomness.isolated(0, model.action_mean.device)
    # What is not finite is told by the step itself.
    with suppress(FloatingPointError), isolated, torch.no_grad(), sizes:
        batch.losses(model, objective, 0)
    model.train(training)
    return sizes.largest


class _Sizes(TorchDispatchMode):
    """Remembers the size of the largest result."""

    largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.largest = max([self.largest, *sizes])
        return result
