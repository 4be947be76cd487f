"""Short training runs of the toy model, and an observer that remembers them."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.training.callbacks import Callback, StepReport, ValidationReport
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.run import Outcome
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.trainer import Trainer
from tests.world_models import toy

JOINT = (Stage("joint", 1.0, batch_size=8, length=3, learning_rate=1e-2),)
STAGED = (
    Stage("discover", 0.3, batch_size=8, length=2, stride=2, learning_rate=1e-2),
    Stage("dynamics", 0.7, batch_size=8, length=4, learning_rate=1e-2, encode_once=True),
)


def config(stages: tuple[Stage, ...], **changes: Any) -> TrainerConfig:
    base = TrainerConfig(
        stages=stages,
        max_steps=20,
        seed=1,
        device="cpu",
        checkpoint_every=5,
        validate_every=6,
        validation_clips=4,
        validation_horizon=3,
    )
    return replace(base, **changes)


def fresh(name: str = toy.NAME, seed: int = 0, **settings: Any) -> WorldModel:
    torch.manual_seed(seed)
    return build_model(name, **settings)


@dataclass
class Recorder(Callback):
    """Keeps what it is told; ``stop_at`` and ``kill_at`` end the run after that step."""

    stop_at: int | None = None
    kill_at: int | None = None
    steps: list[StepReport] = field(default_factory=list)
    validations: list[ValidationReport] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    ended: bool = False

    def on_stage(self, index: int, stage: Stage) -> None:
        self.stages.append(index)

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)
        if report.step == self.stop_at:
            signal.raise_signal(signal.SIGTERM)
        if report.step == self.kill_at:
            raise KeyboardInterrupt

    def on_validation(self, report: ValidationReport) -> None:
        self.validations.append(report)

    def on_end(self) -> None:
        self.ended = True


def fit(
    episodes: EpisodeFile,
    settings: TrainerConfig,
    directory: Path,
    model: WorldModel | None = None,
    stop_at: int | None = None,
    kill_at: int | None = None,
) -> tuple[Outcome, Recorder]:
    record = Recorder(stop_at, kill_at)
    trainer = Trainer(settings, directory, [record], description={"file": "square"})
    outcome = trainer.fit(model or fresh(), episodes.split("train"), episodes.split("val"))
    return outcome, record
