"""The settings of a training run, checked when they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from world_models.suggestions import suggest
from world_models.training.schedule import Schedule, Stage

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
BEST_METRICS = ("open_loop_psnr", "open_loop_ari", "context_psnr", "context_ari")


@dataclass(frozen=True)
class TrainerConfig:
    """How a model is trained.

    Attributes:
        stages: what is trained when.
        max_steps: optimiser steps of the run, or None.
        max_minutes: wall-clock minutes of the run, or None; one of the two bounds must be set.
        seed: of weights' noise, batches and everything else that is random in training.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``bf16`` (autocast) or ``fp16`` (autocast and loss scaling, cuda).
        optimizer: ``adam`` or ``adamw``.
        weight_decay: of the optimiser.
        gradient_clip: greatest norm of the whole gradient.
        accumulate: in how many equal parts a batch is processed, to save memory.
        workers: processes that read clips; 0 reads in the training process.
        compile: whether the loss goes through ``torch.compile``.
        checkpoint_every: steps between two saves of ``last``.
        validate_every: steps between two validations.
        validation_clips: clips that each validation uses, always the same.
        validation_horizon: frames imagined in validation, fewer where episodes are shorter.
        best_metric: one of ``BEST_METRICS``; its maximum is kept in ``best``.
    """

    stages: tuple[Stage, ...]
    max_steps: int | None = None
    max_minutes: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    optimizer: str = "adam"
    weight_decay: float = 0.0
    gradient_clip: float = 0.5
    accumulate: int = 1
    workers: int = 0
    compile: bool = False
    checkpoint_every: int = 500
    validate_every: int = 500
    validation_clips: int = 64
    validation_horizon: int = 10
    best_metric: str = "open_loop_psnr"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        _ = self.schedule
        choices = {
            "precision": PRECISIONS,
            "optimizer": OPTIMIZERS,
            "best_metric": BEST_METRICS,
        }
        for name, valid in choices.items():
            if getattr(self, name) not in valid:
                value = getattr(self, name)
                raise ValueError(f"unknown {name} {value!r}; {suggest(str(value), valid)}")
        counts = ("accumulate", "checkpoint_every", "validate_every", "validation_clips")
        for name in (*counts, "validation_horizon"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.gradient_clip <= 0:
            raise ValueError(f"gradient_clip must be > 0, got {self.gradient_clip}")
        for stage in self.stages:
            if stage.batch_size % self.accumulate:
                raise ValueError(
                    f"accumulate={self.accumulate} must divide every stage's batch_size, "
                    f"got {stage.batch_size}"
                )

    @property
    def schedule(self) -> Schedule:
        """The stages laid over the run's bounds."""
        return Schedule(self.stages, self.max_steps, self.max_minutes)
