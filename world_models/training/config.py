"""The settings of a training run, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest
from armillary.world_models.device import PRECISIONS
from armillary.world_models.training.engine import STRATEGIES
from armillary.world_models.training.schedule import Schedule, Stage

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
        max_minutes: wall-clock minutes of the run, or None; where the stages have fractions, one of
            the two bounds must be set. Encoding the data for a stage is not counted.
        seed: of weights' noise, batches and everything else that is random in training.
        init_from: a checkpoint of the same model, ``pretrained/push_blocks`` say, whose weights the
            run starts from; None leaves the model's own. What is measured on the data, such as the
            action normalisation, is measured on those to train on.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``tf32`` (cuda), ``bf16`` (autocast) or ``fp16`` (autocast and loss
            scaling, cuda).
        optimizer: ``adam`` or ``adamw``.
        weight_decay: of the optimiser.
        gradient_clip: greatest norm of the whole gradient.
        accumulate: in how many equal parts a process works through its share of a batch, to save
            memory.
        workers: processes that read clips; 0 reads in the training process.
        threads: of the CPU; None follows the processors that are free (see ``Threads``). The last
            bits of results depend on it.
        compile: whether the loss goes through ``torch.compile``.
        capture: whether a CUDA device replays recorded steps instead of being told of each
            operation; the results are the same.
        read_every: steps whose losses are read together; None reads every step on a CPU and every
            20 elsewhere, so that the device is not waited for.
        resident: whether the frames lie in the device's memory as a whole; None where they fit.
        recompute: whether decoders of published models make activations again in the backward
            pass instead of keeping them; None where memory asks for it: on a CPU, and on a CUDA
            device once half of its memory is in use. The results are the same.
        checkpoint_every: steps between two saves of ``last``.
        validate_every: steps between two validations.
        validation_clips: clips that each validation uses, always the same.
        validation_horizon: frames imagined in validation, fewer where episodes are shorter.
        validation_rollouts: stochastic rollouts per clip whose best, random and worst are measured
            besides the mean rollout; 1 measures the mean rollout alone.
        best_metric: one of ``BEST_METRICS``; its maximum is kept in ``best``.
        devices: processes per machine, each on a device of its own; a batch is shared among them.
        nodes: machines.
        strategy: of Lightning Fabric, ``auto`` or ``ddp``, where there are several processes.
    """

    stages: tuple[Stage, ...]
    max_steps: int | None = None
    max_minutes: float | None = None
    seed: int = 0
    init_from: str | None = None
    device: str = "auto"
    precision: str = "float32"
    optimizer: str = "adam"
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    accumulate: int = 1
    workers: int = 0
    threads: int | None = None
    compile: bool = False
    capture: bool = True
    read_every: int | None = None
    resident: bool | None = None
    recompute: bool | None = None
    checkpoint_every: int = 500
    validate_every: int = 500
    validation_clips: int = 64
    validation_horizon: int = 10
    validation_rollouts: int = 1
    best_metric: str = "open_loop_psnr"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        _ = self.schedule
        choices = {
            "precision": PRECISIONS,
            "optimizer": OPTIMIZERS,
            "best_metric": BEST_METRICS,
            "strategy": STRATEGIES,
        }
        for name, valid in choices.items():
            if getattr(self, name) not in valid:
                value = getattr(self, name)
                raise ArmillaryError(f"unknown {name} {value!r}; {suggest(str(value), valid)}")
        counts = ("accumulate", "checkpoint_every", "validate_every", "validation_clips")
        more = ("validation_horizon", "validation_rollouts", "devices", "nodes")
        for name in (*counts, *more):
            if getattr(self, name) < 1:
                raise ArmillaryError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.gradient_clip < math.inf:
            raise ArmillaryError(f"gradient_clip must be > 0 and finite, got {self.gradient_clip}")
        if not 0 <= self.weight_decay < math.inf:
            raise ArmillaryError(f"weight_decay must be >= 0 and finite, got {self.weight_decay}")
        if self.init_from == "":
            raise ArmillaryError("init_from must be a checkpoint, or null, got an empty text")
        if self.workers < 0:
            raise ArmillaryError(f"workers must be at least 0, got {self.workers}")
        for name in ("threads", "read_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArmillaryError(f"{name} must be at least 1, or null, got {value}")
        parts = self.processes * self.accumulate
        for stage in self.stages:
            if stage.batch_size % parts:
                split = f"accumulate={self.accumulate}"
                if self.processes > 1:
                    split = f"devices x nodes x accumulate = {parts}"
                raise ArmillaryError(
                    f"{split} must divide every stage's batch_size, got {stage.batch_size}"
                )

    def cut(self, longest: int) -> TrainerConfig:
        """The same with clips of so many frames at most in every stage."""
        if longest < 1:
            raise ArmillaryError(f"max_length must be at least 1, got {longest}")
        stages = [replace(stage, length=min(stage.length, longest)) for stage in self.stages]
        return replace(self, stages=tuple(stages))

    @property
    def processes(self) -> int:
        """How many processes share the run."""
        return self.devices * self.nodes

    @property
    def schedule(self) -> Schedule:
        """The stages laid over the run's bounds."""
        return Schedule(self.stages, self.max_steps, self.max_minutes)
