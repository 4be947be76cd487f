"""Chooses the windows of each training step, as a pure function of the seed and the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from multiprocessing import get_start_method
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from armillary.errors import ArmillaryError
from armillary.world_models.data.windows import RawWindow, WindowDataset


def step_indices(seed: int, step: int, batch_size: int, count: int) -> list[int]:
    """The windows of one optimiser step: uniform draws, with replacement, of 0 .. count - 1.

    Args:
        seed: of the run, >= 0.
        step: the optimiser step, >= 0. Nothing depends on the steps before it, so that a resumed
            run sees what an uninterrupted one sees without replaying.
        batch_size: how many windows.
        count: how many windows there are to choose from.
    """
    if seed < 0 or step < 0 or batch_size < 1:
        raise ArmillaryError(
            "seed and step must be at least 0 and batch_size at least 1, "
            f"got {seed}, {step} and {batch_size}"
        )
    return np.random.default_rng([seed, step]).integers(count, size=batch_size).tolist()


class StepSampler(Sampler[list[int]]):
    """The batches of the optimiser steps ``first_step`` .. ``last_step`` - 1.

    Args:
        count: how many windows there are to choose from.
        batch_size: windows per step.
        seed: of the run.
        first_step: where to begin.
        last_step: where to end, exclusive.
    """

    def __init__(
        self, count: int, *, batch_size: int, seed: int, first_step: int, last_step: int
    ) -> None:
        self._draw = (seed, batch_size, count)
        self._steps = range(first_step, last_step)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        seed, batch_size, count = self._draw
        return (step_indices(seed, step, batch_size, count) for step in self._steps)


def training_batches(
    dataset: WindowDataset,
    *,
    batch_size: int,
    seed: int,
    first_step: int,
    last_step: int,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[RawWindow]:
    """The batch of every step from ``first_step`` up to, without, ``last_step``.

    The batches do not depend on ``workers``. A data set in memory needs none: cutting a window
    out of an array takes less time than sending it from another process.
    """
    sampler = StepSampler(
        len(dataset),
        batch_size=batch_size,
        seed=seed,
        first_step=first_step,
        last_step=last_step,
    )
    return _load(dataset, sampler, workers, pin_memory)


def ordered_batches(
    dataset: WindowDataset,
    *,
    batch_size: int,
    limit: int | None = None,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[RawWindow]:
    """Every window once, in order; or ``limit`` of them, evenly spread over the split.

    The last batch may be smaller.
    """
    if batch_size < 1 or (limit is not None and limit < 1):
        raise ArmillaryError(
            f"batch_size and limit must be at least 1, got {batch_size} and {limit}"
        )
    count = len(dataset)
    chosen = min(count, limit or count)
    indices = [position * count // chosen for position in range(chosen)]
    batches = [indices[start : start + batch_size] for start in range(0, chosen, batch_size)]
    return _load(dataset, batches, workers, pin_memory)


def _load(
    dataset: WindowDataset,
    batches: Sampler[list[int]] | Sequence[list[int]],
    workers: int,
    pin_memory: bool,
) -> Iterator[RawWindow]:
    if workers and dataset.in_memory:
        dataset = _for_workers(dataset)
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=keep,
        pin_memory=pin_memory,
        # Without one of its own a loader draws its workers' seed from the global generator.
        generator=torch.Generator(),
    )
    return iter(loader)


def _for_workers(dataset: WindowDataset) -> WindowDataset:
    """The same windows, of which several processes do not hold a copy each.

    What is in memory before a process is forked is shared with it; others read the file.
    """
    if get_start_method() == "fork":
        dataset.split.load(dataset.labels)
        return dataset
    reading = copy(dataset)
    reading.in_memory = False
    return reading


def keep(batch: Any) -> Any:
    """The collation for a data set whose ``__getitems__`` makes the batch itself."""
    return batch
