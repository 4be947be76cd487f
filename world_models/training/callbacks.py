"""What a trainer tells its observers: progress bars, loggers, TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from armillary.world_models.state import Scene
from armillary.world_models.training.schedule import Stage


@dataclass(frozen=True)
class StepReport:
    """One optimiser step.

    Attributes:
        step: steps done, this one included.
        progress: share of the run done, in [0, 1].
        seconds: wall-clock time of the run, earlier sessions included.
        stage_index: which stage it belonged to.
        stage: that stage.
        losses: ``total`` and the model's terms.
        learning_rate: that the step used.
        gradient_norm: before clipping.
    """

    step: int
    progress: float
    seconds: float
    stage_index: int
    stage: Stage
    losses: dict[str, float]
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True)
class ValidationReport:
    """One validation.

    Attributes:
        step: steps done.
        metrics: scalars by name, as ``OpenLoopQuality.metrics``, with several rollouts also as
            ``evaluate_rollouts``, and ``loss/...`` of the stage.
        truth: (n, T, 3, H, W), a few of the clips.
        scene: their scenes, leading dimensions (n, T): the first ``context_length`` frames are
            reconstructed, the others imagined.
        context_length: C.
        improved: whether this is the best so far.
    """

    step: int
    metrics: dict[str, float]
    truth: Tensor
    scene: Scene
    context_length: int
    improved: bool


class Callback:
    """An observer that does nothing; subclasses override what they want to hear of."""

    def on_start(self, step: int) -> None:
        """Training starts, or resumes after ``step`` steps."""

    def on_stage(self, index: int, stage: Stage) -> None:
        """A stage starts; before its data are encoded."""

    def on_step(self, report: StepReport) -> None:
        """An optimiser step was done."""

    def on_validation(self, report: ValidationReport) -> None:
        """The validation split was evaluated."""

    def on_checkpoint(self, path: Path) -> None:
        """A checkpoint was written."""

    def on_end(self) -> None:
        """Training ended, by whatever way."""
