"""Where a training run stands, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armillary.world_models.data import Split
from armillary.world_models.model import WorldModel
from armillary.world_models.training.batches import Batch
from armillary.world_models.training.update import Update
from armillary.world_models.validation.validator import Validator


@dataclass(frozen=True)
class Outcome:
    """How a call of ``Trainer.fit`` ended.

    Attributes:
        step: optimiser steps of the run, earlier sessions included.
        seconds: wall-clock time of the run, earlier sessions included.
        metrics: of the last validation.
        interrupted: whether a signal ended it before the schedule did.
        checkpoint: the ``last`` checkpoint.
    """

    step: int
    seconds: float
    metrics: dict[str, float]
    interrupted: bool
    checkpoint: Path


@dataclass
class Run:
    """Where a run stands; what the trainer changes as it goes.

    Attributes:
        model: that is trained.
        train: episodes to learn from.
        validator: of the held-out ones.
        step: optimiser steps done.
        seconds: wall-clock time, earlier sessions included.
        began: the clock's reading when ``seconds`` was 0.
        best: greatest value of the best metric so far.
        metrics: of the last validation.
        stage_index: of the stage that ``update`` and ``batches`` belong to, -1 before the first.
        update: the stage's optimiser.
        batches: the stage's data.
        resumed: the stage that an earlier session stopped in and its optimiser's state.
        validated: the step after which that was last done.
        saved: likewise.
    """

    model: WorldModel
    train: Split
    validator: Validator
    step: int = 0
    seconds: float = 0.0
    began: float = 0.0
    best: float = float("-inf")
    metrics: dict[str, float] = field(default_factory=dict)
    stage_index: int = -1
    update: Update | None = None
    batches: Iterator[Batch] = field(default_factory=lambda: iter(()))
    resumed: tuple[int, dict[str, Any]] | None = None
    validated: int = 0
    saved: int = -1
