"""What steps told the device, read together: one copy for many of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.world_models.training.steps.batches import Batch
from armillary.world_models.training.steps.update import Update


@dataclass(frozen=True)
class Entry:
    """A step whose numbers have not been read.

    Attributes:
        step: optimiser steps before it.
        stage_index: which stage it belonged to.
        update: that did it.
        row: that the update returned, on the device.
        learning_rate: of the step.
        batch: that it was computed from.
        random: states of the generators before it.
        progress: share of the run done after it, in [0, 1].
        seconds: wall-clock time of the run after it.
    """

    step: int
    stage_index: int
    update: Update
    row: Tensor
    learning_rate: float
    batch: Batch
    random: dict[str, Tensor]
    progress: float
    seconds: float


class Ledger:
    """Steps in the order in which they were done.

    Args:
        every: how many are read together.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._entries: list[Entry] = []

    @property
    def full(self) -> bool:
        """Whether it is time to read."""
        return len(self._entries) >= self._every

    def add(self, entry: Entry) -> None:
        """One more step."""
        self._entries.append(entry)

    def read(self) -> list[tuple[Entry, list[float]]]:
        """All that was added since, each with its row's numbers; waits for the device once.

        Entries of one ledger have rows of one length: it is read before a stage ends.
        """
        entries, self._entries = self._entries, []
        if not entries:
            return []
        rows = torch.stack([entry.row for entry in entries]).tolist()
        return list(zip(entries, rows, strict=True))
