"""The verb ``train``: a world model from a file of episodes, with checkpoints and TensorBoard."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from armillary.experiments.command.config import to_dict, typed
from armillary.experiments.command.console import messages, results
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.model_data import data_of, describe, open_episodes
from armillary.experiments.evaluation.results import RESULTS, Training
from armillary.experiments.running.signals import Ended
from armillary.processors import set_by_user
from armillary.world_models.checkpoints.checkpoint import read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.training.callbacks import Callback, StepReport, ValidationReport
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.remarks import remarks
from armillary.world_models.training.run import Outcome
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.tensorboard import TensorBoard
from armillary.world_models.training.trainer import Trainer, TrainingError

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Outcome:
    """Trains, continues or finds finished the run in ``config.output``.

    Raises:
        DataError: the file of episodes cannot be used.
        CheckpointError: the directory holds a run that cannot be continued.
        ValueError: model, data and settings do not fit together.
        RunError: a loss or gradient became NaN or infinite.
        KeyboardInterrupt: a signal ended it; everything is saved.

    Of several processes the first says how it ended; the others end with it without an error, since
    one with an error is taken for a crash and all are killed.
    """
    output = Path(config.output).expanduser()
    settings = trainer_settings(config)
    episodes = open_episodes(config.data, actions=config.data.actions)
    train, validation = episodes.split("train"), episodes.split("val")
    log.info("%s: %d episodes to train on, %d held out", episodes.path, len(train), len(validation))
    model = new_model(config, episodes)
    callbacks = [ConsoleProgress(settings.best_metric), TensorBoard(output / "tb")]
    trainer = Trainer(settings, output, callbacks, description=describe(episodes))
    try:
        outcome = trainer.fit(
            model, train, validation, resume=config.resume, data_changed=config.data.changed
        )
    except TrainingError as error:
        if not trainer.leads:
            sys.exit(0)
        raise RunError(str(error)) from error
    if not trainer.leads:
        return outcome
    told = remarks(settings, outcome)
    found = Training(
        steps=outcome.step,
        seconds=outcome.seconds,
        interrupted=outcome.interrupted,
        metrics={n: v if math.isfinite(v) else None for n, v in outcome.metrics.items()},
        data=data_of(episodes, former=read_info(outcome.checkpoint).data.get("former", [])),
        remarks=told,
    )
    write(output / RESULTS, found)
    if outcome.metrics:
        _show(outcome)
    for remark in told:
        log.warning("%s", remark)
    log.info("checkpoints in %s", outcome.checkpoint.parent)
    if outcome.interrupted:
        log.info("the same command continues after step %d", outcome.step)
        raise Ended(outcome.signal or signal.SIGINT)
    return outcome


def trainer_settings(config: DictConfig) -> TrainerConfig:
    """The trainer's settings.

    ``trainer.batch_size``, if given, replaces that of every stage, and no stage's clips are longer
    than ``trainer.max_length``.
    """
    values = to_dict(config.trainer)
    del values["_target_"]
    if config.deterministic and values["threads"] is None and not set_by_user(os.environ):
        values["threads"] = 1  # the number that follows what is free is another every time
    batch_size, longest = values.pop("batch_size"), values.pop("max_length")
    stages: dict[str, dict[str, Any]] = values.pop("stages")
    common = {} if batch_size is None else {"batch_size": batch_size}
    wrong = [name for name, stage in stages.items() if not isinstance(stage, dict)]
    if wrong:
        raise UsageError(f"trainer.stages.{wrong[0]} must be a dictionary {{objective: ...}}")
    values["stages"] = [{**stage, **common} for stage in stages.values()]
    settings = typed(TrainerConfig, values)
    return settings if longest is None else settings.cut(longest)


def new_model(config: DictConfig, episodes: EpisodeFile) -> WorldModel:
    """An untrained model, its weights drawn from ``config.seed``.

    Image size and action size are the data's unless the configuration names others.
    """
    of_data = {"image_size": episodes.image_size, "action_size": episodes.action_size}
    given = {name: value for name, value in to_dict(config.model).items() if value is not None}
    hyperparameters = {**of_data, **given}
    torch.manual_seed(config.seed)
    try:
        return build_model(hyperparameters.pop("name"), **hyperparameters)
    except TypeError as error:  # a text where a number belongs
        raise UsageError(
            f"the model cannot be built with {to_dict(config.model)}: {error}"
        ) from error


def _show(outcome: Outcome) -> None:
    table = Table("metric", "value", title=f"{outcome.step} steps, {outcome.seconds / 60:.1f} min")
    for name, value in outcome.metrics.items():
        table.add_row(name, f"{value:.4g}")
    results.print(table)


class ConsoleProgress(Callback):
    """A progress bar on stderr.

    Args:
        metric: the validation metric to show.
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._best = ""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=messages,
        )
        self._task = self._progress.add_task("training", total=1.0, state="")

    def on_start(self, step: int) -> None:
        """Shows the bar."""
        self._progress.start()

    def on_stage(self, index: int, stage: Stage) -> None:
        """Names the stage."""
        self._progress.update(self._task, description=f"stage {index + 1}: {stage.objective}")

    def on_step(self, report: StepReport) -> None:
        """Advances the bar."""
        state = f"step {report.step}  loss {report.losses['total']:.4g}  {self._best}"
        self._progress.update(self._task, completed=report.progress, state=state)

    def on_validation(self, report: ValidationReport) -> None:
        """Logs the headline metrics."""
        self._best = f"{self._metric} {report.metrics.get(self._metric, float('nan')):.3g}"
        names = (
            "open_loop_psnr",
            "open_loop_psnr_best",
            "copy_psnr",
            "context_psnr",
            "context_ari",
            "open_loop_ari",
        )
        found = [f"{n} {report.metrics[n]:.3g}" for n in names if n in report.metrics]
        mark = " (best)" if report.improved else ""
        log.info("step %d: %s%s", report.step, ", ".join(found), mark)

    def on_end(self) -> None:
        """Removes the bar."""
        self._progress.stop()
