"""Where a training run stands, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armillary.world_models.checkpoints.checkpoint import CheckpointInfo
from armillary.world_models.data import Split
from armillary.world_models.model import WorldModel
from armillary.world_models.training.encoding import Encoding
from armillary.world_models.training.steps.batches import Batch
from armillary.world_models.training.steps.update import Update
from armillary.world_models.validation.validator import Validator


@dataclass(frozen=True)
class Outcome:
    """How a call of ``Trainer.fit`` ended.

    Attributes:
        step: optimiser steps of the run, earlier sessions included.
        seconds: wall-clock time of the run, earlier sessions included and encoding left out.
        metrics: of the last validation.
        best: greatest value of the best metric, -inf before the first validation.
        interrupted: whether a signal ended it before the schedule did.
        signal: its number; None where another process of the run got it.
        checkpoint: the ``last`` checkpoint.
        stage_steps: optimiser steps of each stage by its index; empty where a run was begun by a
            version that did not count them.
    """

    step: int
    seconds: float
    metrics: dict[str, float]
    best: float
    interrupted: bool
    checkpoint: Path
    stage_steps: dict[int, int]
    signal: int | None = None


@dataclass
class Run:
    """Where a run stands; what the trainer changes as it goes.

    Attributes:
        model: that is trained.
        train: episodes to learn from.
        validator: of the held-out ones.
        encoding: of the episodes to learn from, for the stages that encode once.
        step: optimiser steps done.
        seconds: wall-clock time, earlier sessions included and stages' preparation left out.
        began: the clock's reading when ``seconds`` was 0, moved on by what is left out.
        best: greatest value of the best metric so far.
        metrics: of the last validation.
        stage_index: of the stage that ``update`` and ``batches`` belong to, -1 before the first.
        update: the stage's optimiser.
        batches: the stage's data.
        resumed: the stage that an earlier session stopped in and its optimiser's state.
        stage_steps: optimiser steps of each stage by its index.
        threads: that an earlier session was saved with.
        validated: the step after which that was last done.
        saved: likewise.
    """

    model: WorldModel
    train: Split
    validator: Validator
    encoding: Encoding
    step: int = 0
    seconds: float = 0.0
    began: float = 0.0
    best: float = float("-inf")
    metrics: dict[str, float] = field(default_factory=dict)
    stage_index: int = -1
    update: Update | None = None
    batches: Iterator[Batch] = field(default_factory=lambda: iter(()))
    resumed: tuple[int, dict[str, Any]] | None = None
    stage_steps: Counter[int] = field(default_factory=Counter)
    threads: int | None = None
    validated: int = 0
    saved: int = -1

    def state(self) -> dict[str, Any]:
        """Where it stands, for a checkpoint that it can be resumed from."""
        return {
            "seconds": self.seconds,
            "best": self.best,
            "stage_index": self.stage_index,
            "stage_steps": dict(self.stage_steps),
            "update": self.update.state_dict() if self.update else {},
        }

    def restore(self, info: CheckpointInfo, state: Mapping[str, Any]) -> None:
        """Stands where a checkpoint was saved; older ones lack what is new."""
        self.step = self.saved = self.validated = info.step
        self.seconds, self.best, self.metrics = state["seconds"], state["best"], info.metrics
        self.resumed = (state["stage_index"], state["update"])
        self.stage_steps.update(state.get("stage_steps", {}))
        self.threads = state.get("threads")

    def outcome(self, interrupted: bool, checkpoint: Path, signal: int | None = None) -> Outcome:
        """How it ended."""
        return Outcome(
            step=self.step,
            seconds=self.seconds,
            metrics=self.metrics,
            best=self.best,
            interrupted=interrupted,
            checkpoint=checkpoint,
            stage_steps=dict(self.stage_steps),
            signal=signal,
        )
