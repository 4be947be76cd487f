"""Rows of training: steps a second of the trainer, end to end, beside a loop over the same loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from shutil import rmtree
from typing import Any

import torch

from armillary.experiments.evaluation.speed import Target
from armillary.experiments.speed.cases import Case, Setting, Work
from armillary.experiments.speed.files import episodes_of_noise
from armillary.experiments.speed.subjects import OURS, build, build_plain, has_slots
from armillary.experiments.speed.timing import Clock, clock_of
from armillary.world_models.data import EpisodeFile
from armillary.world_models.device import computing_in
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import SETTINGS
from armillary.world_models.training.callbacks import Callback, StepReport
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.encoding import encode
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import Batch, stage_batches
from armillary.world_models.training.trainer import Trainer

_NEVER = 10**9
_CLIP = 5.0
_TOGETHER = 20
"""Steps whose losses are read together on a device, as by default."""
STAGES = {
    "discovery": Stage("discovery", steps=4, batch_size=24, length=3),
    "dynamics_1": Stage("dynamics", steps=4, batch_size=128, length=2, encode_once=True),
    "dynamics_3": Stage("dynamics", steps=4, batch_size=128, length=4, encode_once=True),
    "dynamics_7": Stage("dynamics", steps=4, batch_size=128, length=8, encode_once=True),
    "joint": Stage("joint", steps=4, batch_size=24, length=6),
}
"""Of ``push_blocks/slot_dynamics``, and of ``push_blocks/slot_dynamics_joint``."""
_WHOLE = 10
"""Frames of a clip for models without slots; the slot models begin with three."""


def cases(setting: Setting) -> Iterator[Case]:
    """Every stage of ours, every other model by its default objective; more where there is time."""
    size = setting.size
    for name in setting.models:
        chosen = stages(setting, name)
        if name != OURS and size.published and not size.every:
            chosen = chosen[:1]
        yield from (step(setting, name, *one) for one in chosen)
        if name == OURS:
            for threads in setting.other_threads:
                yield step(setting, name, *staged(setting, "discovery"), threads=threads)
        elif size.every:
            yield step(setting, name, *chosen[0], precision="bf16")


def stages(setting: Setting, name: str) -> list[tuple[Stage, str]]:
    """The stages by which a model is trained, and what each is called, the default first.

    Settings of a model are trained by their own objective alone: the others are the model's.
    """
    if name == OURS:
        return [staged(setting, told) for told in STAGES]
    objectives = build(name, setting).objectives[: 1 if name in SETTINGS else None]
    stage = published(setting, name)
    return [(replace(stage, objective=objective), objective) for objective in objectives]


def staged(setting: Setting, name: str) -> tuple[Stage, str]:
    """A stage of ours, with four clips where everything is a toy."""
    stage = STAGES[name]
    return (stage if setting.size.published else replace(stage, batch_size=4)), name


def published(setting: Setting, name: str, clips: int | None = None, length: int = 0) -> Stage:
    """A stage of a published model, by its default objective."""
    objective = build(name, setting).objectives[0]
    frames = length or (3 if has_slots(name) else _WHOLE)
    return Stage(objective, steps=1, batch_size=clips or setting.size.clips, length=frames)


def step(
    setting: Setting,
    name: str,
    stage: Stage,
    told: str = "",
    *,
    precision: str = "float32",
    threads: int | None = None,
    targets: tuple[Target, ...] = (),
    **more: Any,
) -> Case:
    """The row of a stage's steps, the first ones left out."""
    number = threads or setting.threads
    settings = {
        "stage": told or stage.objective,
        "clips": stage.batch_size,
        "frames": stage.length,
        "precision": precision,
        "threads": number,
    }

    def make() -> Work:
        ours, plain = (f(name, setting, **more) for f in (build, build_plain))
        file = episodes_of_noise(setting, ours.image_size, ours.action_size)
        alone = build(name, setting, **more).train()
        ours_loss = _loss(alone, batch_of(alone, file, stage), stage, precision)
        peaks: list[float] = []

        def run() -> float:
            seconds = trained(ours, file, stage, setting, number, precision)
            if setting.device.type == "cuda":
                peaks.append(torch.cuda.max_memory_allocated(setting.device) / 1e6)
            return seconds

        return Work(
            run,
            loop(plain.train(), batch_of(plain, file, stage), stage),
            counted=lambda: ours_loss().backward(),
            own_clock=True,
            megabytes=lambda: max(peaks, default=None),
        )

    return Case(
        *("training", name, settings, "steps", 1, make),
        threads=threads,
        precision=setting.best_precision(precision),
        targets=targets,
    )


class _Ends(Callback):
    """Notes when each step ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.times: list[float] = []

    def on_step(self, report: StepReport) -> None:
        self.times.append(self._clock())


def trained(
    model: WorldModel,
    file: EpisodeFile,
    stage: Stage,
    setting: Setting,
    threads: int,
    precision: str,
) -> float:
    """Seconds of a step of the trainer; the first third of the steps is not counted."""
    timed = setting.size.steps * (stage.steps or 1)
    skipped, together = max(1, timed // 3), 1
    if setting.device.type == "cuda":  # losses are read, and steps told of, so many at a time
        skipped = together = _TOGETHER
        timed = math.ceil(timed / together) * together
    count = timed + skipped
    ends, folder = _Ends(clock_of(setting, threads)), setting.scratch / "run"
    if setting.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(setting.device)
    config = TrainerConfig(
        stages=(replace(stage, steps=count),),
        seed=setting.seed,
        device=str(setting.device),
        precision=precision,
        gradient_clip=_CLIP,
        threads=threads,
        read_every=together,
        checkpoint_every=_NEVER,
        validate_every=_NEVER,
        validation_clips=1,
        validation_horizon=1,
    )
    try:
        Trainer(config, folder, [ends]).fit(model, file.split("train"), file.split("val"))
    finally:
        rmtree(folder, ignore_errors=True)
    return (ends.times[-1] - ends.times[skipped - 1]) / timed


def batch_of(model: WorldModel, file: EpisodeFile, stage: Stage) -> Batch:
    """The first batch of a stage."""
    split = file.split("train")
    encoded = encode(model, split, lambda: None) if stage.encode_once else None
    return next(stage_batches(model, split, stage, seed=0, encoded=encoded))


def _loss(
    model: WorldModel, batch: Batch, stage: Stage, precision: str = "float32"
) -> Callable[[], torch.Tensor]:
    device = batch.tensors()["actions"].device

    def loss() -> torch.Tensor:
        with computing_in(precision, device):
            return batch.losses(model, stage.objective, 0).total

    return loss


def loop(model: WorldModel, batch: Batch, stage: Stage) -> Callable[[], None]:
    """Loss, gradient, clipping and Adam, on the same batch again and again."""
    parameters = model.trainable(stage.objective)
    adam = torch.optim.Adam(parameters, stage.learning_rate)
    loss = _loss(model, batch, stage)

    def run() -> None:
        adam.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
        adam.step()

    return run
