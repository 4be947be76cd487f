"""The stages of a run: which objective is trained when, on what clips, at which learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDING = 1e-9
"""Sums of fractions are rounded; a boundary must not move to the next step for that."""


@dataclass(frozen=True)
class Stage:
    """A part of a run that trains one objective.

    Attributes:
        objective: one of the model's ``objectives``.
        fraction: share of the run, in (0, 1]; the stages' fractions sum to 1.
        batch_size: clips per batch.
        length: frames per clip.
        stride: environment steps between two frames of a clip.
        learning_rate: its peak.
        warmup: share of the stage in which the learning rate rises linearly to its peak.
        floor: share of the peak at which the warm-up starts and the cosine decay ends.
        encode_once: filter all the data at the start of the stage, then train on the states; the
            objective must not train what ``filter`` depends on.
    """

    objective: str
    fraction: float
    batch_size: int
    length: int
    stride: int = 1
    learning_rate: float = 1e-3
    warmup: float = 0.05
    floor: float = 0.01
    encode_once: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "length", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"a stage's {name} must be at least 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"a stage's learning_rate must be > 0, got {self.learning_rate}")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"a stage's fraction must be in (0, 1], got {self.fraction}")
        for name in ("warmup", "floor"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"a stage's {name} must be in [0, 1), got {getattr(self, name)}")
        if self.encode_once and self.stride != 1:
            raise ValueError(
                "a stage with encode_once=true trains on the states of consecutive frames and "
                f"needs stride=1, got {self.stride}"
            )


@dataclass(frozen=True)
class Schedule:
    """Stages laid over a run that is bounded by steps, by time, or by what comes first.

    Progress is the larger of the two shares used up. With ``max_steps`` alone everything here is a
    function of the step, whatever the machine's speed.

    Attributes:
        stages: in order.
        max_steps: optimiser steps, or None.
        max_minutes: wall-clock minutes, or None.
    """

    stages: Sequence[Stage]
    max_steps: int | None = None
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_minutes is None:
            raise ValueError("a run needs an end: set max_steps, max_minutes or both")
        for name in ("max_steps", "max_minutes"):
            bound = getattr(self, name)
            if bound is not None and bound <= 0:
                raise ValueError(f"{name} must be > 0 (or null for no bound), got {bound}")
        fractions = [stage.fraction for stage in self.stages]
        if not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
            raise ValueError(f"the stages' fractions must sum to 1, got {fractions}")

    def progress(self, step: int, seconds: float) -> float:
        """The share of the run that is done, in [0, 1], after ``step`` steps and ``seconds``."""
        by_steps = step / self.max_steps if self.max_steps else 0.0
        by_time = seconds / (60 * self.max_minutes) if self.max_minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def stage_at(self, progress: float) -> int:
        """The index of the stage that trains at ``progress``; a boundary belongs to the later."""
        ends = [self._start(index + 1) for index in range(len(self.stages) - 1)]
        return sum(progress >= end - ROUNDING for end in ends)

    def learning_rate(self, progress: float) -> float:
        """Linear warm-up, then cosine decay, over the stage that trains at ``progress``."""
        index = self.stage_at(progress)
        stage = self.stages[index]
        within = min(1.0, max(0.0, progress - self._start(index)) / stage.fraction)
        if within < stage.warmup:
            share = within / stage.warmup
        else:
            share = 0.5 + 0.5 * math.cos(math.pi * (within - stage.warmup) / (1 - stage.warmup))
        return stage.learning_rate * (stage.floor + (1 - stage.floor) * share)

    def _start(self, index: int) -> float:
        """Progress at which stage ``index`` starts."""
        return sum(stage.fraction for stage in self.stages[:index])
