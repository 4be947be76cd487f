"""The stages of a run: which objective is trained when, on what clips, at which learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

ROUNDING = 1e-9
"""Sums of fractions are rounded; a boundary must not move to the next step for that."""
DECAYS = ("cosine", "none")


@dataclass(frozen=True)
class Stage:
    """A part of a run that trains one objective.

    Its size is a share of the run or a number of steps; with both, it ends with its steps or when
    its share of the run's time is over, whichever is first. All stages of a run use the same.

    Attributes:
        objective: one of the model's ``objectives``.
        fraction: share of the run, in (0, 1]; the stages' fractions sum to 1.
        steps: optimiser steps.
        batch_size: clips per batch, of all processes together.
        length: frames per clip.
        stride: environment steps between two frames of a clip.
        learning_rate: its peak.
        warmup: share of the stage in which the learning rate rises linearly to its peak.
        decay: ``cosine`` falls from the peak to the floor, ``none`` stays at the peak.
        floor: share of the peak at which the warm-up starts and the cosine decay ends.
        encode_once: filter all the data at the start of the stage, then train on the states; the
            objective must not train what ``filter`` depends on.
        target: reconstruction target that ``WorldModel.set_target`` is given when the stage starts;
            None leaves the model's as it is.
        keep_optimizer: continue with the optimiser (its moments) of the stage before, which must
            train the same parameters; otherwise a stage starts with a new one.
    """

    objective: str
    fraction: float | None = None
    _: KW_ONLY
    steps: int | None = None
    batch_size: int
    length: int
    stride: int = 1
    learning_rate: float = 1e-3
    warmup: float = 0.05
    decay: str = "cosine"
    floor: float = 0.01
    encode_once: bool = False
    target: float | None = None
    keep_optimizer: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "length", "stride"):
            if getattr(self, name) < 1:
                raise ArmillaryError(
                    f"a stage's {name} must be at least 1, got {getattr(self, name)}"
                )
        if not 0 < self.learning_rate < math.inf:
            raise ArmillaryError(
                f"a stage's learning_rate must be > 0 and finite, got {self.learning_rate}"
            )
        if self.fraction is None and self.steps is None:
            raise ArmillaryError("a stage needs a fraction or steps, got neither")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ArmillaryError(f"a stage's fraction must be in (0, 1], got {self.fraction}")
        if self.steps is not None and self.steps < 1:
            raise ArmillaryError(f"a stage's steps must be at least 1, got {self.steps}")
        for name in ("warmup", "floor"):
            if not 0 <= getattr(self, name) < 1:
                raise ArmillaryError(
                    f"a stage's {name} must be in [0, 1), got {getattr(self, name)}"
                )
        if self.decay not in DECAYS:
            raise ArmillaryError(f"unknown decay {self.decay!r}; {suggest(self.decay, DECAYS)}")
        if self.encode_once and self.stride != 1:
            raise ArmillaryError(
                "a stage with encode_once=true trains on the states of consecutive frames and "
                f"needs stride=1, got {self.stride}"
            )

    @property
    def size(self) -> float:
        """Its fraction or its steps, whichever it has."""
        return self.fraction if self.fraction is not None else float(self.steps or 0)


@dataclass(frozen=True)
class Schedule:
    """Stages laid over a run that is bounded by steps, by time, or by what comes first.

    Stages with fractions are stretched over the run: with ``max_steps`` alone everything here is a
    function of the step, whatever the machine's speed. Stages with steps keep them: the run ends
    after the last one, or earlier where a bound says so. Stages with both keep their steps on a
    fast machine; on one that is too slow for them each still gets its share of the time.

    Attributes:
        stages: in order.
        max_steps: optimiser steps, or None.
        max_minutes: wall-clock minutes, or None.
    """

    stages: Sequence[Stage]
    max_steps: int | None = None
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        fractions = [stage.fraction for stage in self.stages if stage.fraction is not None]
        steps = [stage.steps for stage in self.stages if stage.steps is not None]
        if {len(fractions), len(steps)} - {0, len(self.stages)}:
            raise ArmillaryError(
                "the stages of a run all have fractions, or all have steps, or all have both; got "
                f"{len(fractions)} with a fraction and {len(steps)} with steps"
            )
        if not steps and self.max_steps is None and self.max_minutes is None:
            raise ArmillaryError("a run needs an end: set max_steps, max_minutes or both")
        for name in ("max_steps", "max_minutes"):
            bound = getattr(self, name)
            if bound is not None and not 0 < bound < math.inf:
                raise ArmillaryError(f"{name} must be > 0 (or null for no bound), got {bound}")
        if not self._counted and not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
            raise ArmillaryError(f"the stages' fractions must sum to 1, got {fractions}")

    def progress(self, step: int, seconds: float) -> float:
        """The share of the run that is done, in [0, 1], after ``step`` steps and ``seconds``."""
        ends = [self.max_steps] if self.max_steps else []
        if self._counted:
            ends.append(sum(stage.steps or 0 for stage in self.stages))
        by_steps = step / min(ends) if ends else 0.0
        by_time = seconds / (60 * self.max_minutes) if self.max_minutes else 0.0
        return min(1.0, max(by_steps, by_time, self._work(step)))

    def position(self, step: int, seconds: float) -> float:
        """The place on the line of stages, in the unit of their sizes: steps or shares."""
        return float(step) if self._counted else self.progress(step, seconds)

    def stage_at(self, position: float) -> int:
        """The index of the stage that trains at ``position``; a boundary belongs to the later."""
        ends = [self._start(index + 1) for index in range(len(self.stages) - 1)]
        return sum(position >= end - ROUNDING for end in ends)

    def learning_rate(self, position: float) -> float:
        """Linear warm-up, then the decay, over the stage that trains at ``position``."""
        index = self.stage_at(position)
        stage = self.stages[index]
        within = min(1.0, max(0.0, position - self._start(index)) / stage.size)
        if within < stage.warmup:
            share = within / stage.warmup
        elif stage.decay == "none":
            return stage.learning_rate
        else:
            share = 0.5 + 0.5 * math.cos(math.pi * (within - stage.warmup) / (1 - stage.warmup))
        return stage.learning_rate * (stage.floor + (1 - stage.floor) * share)

    @property
    def _counted(self) -> bool:
        """Whether steps are the stages' only size."""
        return all(stage.fraction is None for stage in self.stages)

    def _work(self, step: int) -> float:
        """The share of the run that ``step`` steps make where stages have both sizes, else 0."""
        if any(stage.fraction is None or stage.steps is None for stage in self.stages):
            return 0.0
        for index, stage in enumerate(self.stages):
            if step < (stage.steps or 0):
                return self._start(index) + stage.size * step / (stage.steps or 1)
            step -= stage.steps or 0
        return 1.0

    def _start(self, index: int) -> float:
        """The position at which stage ``index`` starts."""
        return sum(stage.size for stage in self.stages[:index])
