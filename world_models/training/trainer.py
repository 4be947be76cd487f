"""The one trainer of every model: stages, validation, checkpoints, exact resume."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from world_models.data import Split, action_statistics
from world_models.device import resolve_device
from world_models.model import WorldModel
from world_models.training import randomness
from world_models.training.batches import Batch, stage_batches
from world_models.training.callbacks import Callback, StepReport
from world_models.training.checkpoint import (
    CheckpointInfo,
    load_state,
    load_weights,
    save_checkpoint,
)
from world_models.training.config import TrainerConfig
from world_models.training.interruption import Interruption
from world_models.training.locate import settled
from world_models.training.preflight import Resume, check_fit, earlier_run
from world_models.training.update import NotFiniteError, Update
from world_models.training.validator import Validator

log = logging.getLogger(__name__)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which step, why, and what was kept."""


@dataclass(frozen=True)
class Outcome:
    """How a call of ``fit`` ended.

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
class _Run:
    """Where a run stands.

    ``began`` is the clock's reading when the run's seconds were 0; ``resumed`` is the stage that an
    earlier session stopped in and its optimiser's state; ``validated`` and ``saved`` are the steps
    at which that was last done.
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


class Trainer:
    """Trains any ``WorldModel`` and writes ``DIRECTORY/checkpoints/{last,best}``.

    Args:
        config: stages, bounds, optimiser, precision, intervals.
        directory: of the run.
        callbacks: told of every step, validation and checkpoint.
        description: of the data, JSON-able; it goes into the checkpoints.
        clock: seconds, for the time bound.
    """

    def __init__(
        self,
        config: TrainerConfig,
        directory: str | Path,
        callbacks: Sequence[Callback] = (),
        *,
        description: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.directory = Path(directory)
        self.last = self.directory / "checkpoints" / "last"
        self.best = self.directory / "checkpoints" / "best"
        self._schedule = config.schedule
        self._callbacks = callbacks
        self._description = dict(description or {})
        self._clock = clock

    def fit(
        self, model: WorldModel, train: Split, validation: Split, *, resume: Resume = "auto"
    ) -> Outcome:
        """Trains until the schedule ends, or until SIGINT or SIGTERM after the step in hand.

        A resumed run continues bit for bit as if it had not stopped, on the same machine and, for
        runs bounded by steps alone, whenever it stopped.

        Args:
            model: built by ``build_model``; left on the configured device in evaluation mode. The
                caller seeds its initial weights.
            train: episodes to learn from; they also fix the model's action normalisation.
            validation: held-out episodes.
            resume: ``auto`` continues from ``last`` if there is one, ``never`` refuses to touch a
                directory that has one, ``required`` refuses to start anew.

        Raises:
            ValueError: settings, data and model do not fit together; nothing was trained.
            CheckpointError: ``last`` is damaged, of another run, or against ``resume``.
            TrainingError: a loss or a gradient is NaN or infinite. The weights, the batch and the
                random state that led there are kept in ``DIRECTORY/failure``.
        """
        config = self.config
        earlier = earlier_run(self.last, model, config, resume)
        check_fit(config, model, train, validation)
        self.directory.mkdir(parents=True, exist_ok=True)
        model.to(resolve_device(config.device)).train()
        randomness.seed_everything(config.seed)
        run = _Run(model, train, Validator(model, validation, config))
        if earlier is None:
            statistics = action_statistics(train, config.stages[-1].stride)
            model.set_action_statistics(statistics.mean, statistics.std)
        else:
            self._restore(run, earlier)
        run.began = self._clock() - run.seconds
        self._tell(lambda callback: callback.on_start(run.step))
        try:
            with Interruption() as interruption:
                while not interruption.requested and self._progress(run) < 1:
                    self._train(run)
                    if run.step % config.validate_every == 0:
                        self._validate(run)
                    if run.step % config.checkpoint_every == 0:
                        self._save_last(run)
                interrupted = self._progress(run) < 1
                if not interrupted and run.validated != run.step:
                    self._validate(run)
                if run.saved != run.step:
                    self._save_last(run)
        finally:
            model.requires_grad_(True).eval()
            self._tell(lambda callback: callback.on_end())
        return Outcome(run.step, run.seconds, run.metrics, interrupted, self.last)

    def _train(self, run: _Run) -> None:
        """One optimiser step, at the start of a stage after its preparation."""
        progress = self._progress(run)
        index = self._schedule.stage_at(progress)
        if run.update is None or index != run.stage_index:
            run.update = self._start_stage(run, index)
        rate = self._schedule.learning_rate(progress)
        batch = next(run.batches)
        random_state = randomness.capture(run.model.action_mean.device)
        try:
            losses, norm = run.update.apply(batch, run.step, rate)
        except NotFiniteError as error:
            kept = {"batch": batch.tensors(), "random": random_state}
            raise self._failure(run, kept, error) from error
        run.step += 1
        run.seconds = self._clock() - run.began
        report = StepReport(
            step=run.step,
            progress=self._progress(run),
            seconds=run.seconds,
            stage_index=index,
            stage=self._schedule.stages[index],
            losses=losses,
            learning_rate=rate,
            gradient_norm=norm,
        )
        self._tell(lambda callback: callback.on_step(report))

    def _start_stage(self, run: _Run, index: int) -> Update:
        """Makes a stage's optimiser and batches, without touching training's random numbers."""
        stage, seed = self._schedule.stages[index], self.config.seed
        log.info("stage %d (%s) starts after %d steps", index, stage.objective, run.step)
        self._tell(lambda callback: callback.on_stage(index, stage))
        run.stage_index = index
        update = Update(run.model, stage, self.config)
        if run.resumed is not None and run.resumed[0] == index:
            update.load_state_dict(run.resumed[1])
        with randomness.isolated(seed, run.model.action_mean.device):
            run.batches = stage_batches(
                run.model,
                run.train,
                stage,
                seed=seed,
                first_step=run.step,
                workers=self.config.workers,
            )
        run.validator.start_stage(stage)
        return update

    def _validate(self, run: _Run) -> None:
        """Evaluates the model and keeps it if it is the best so far."""
        assert run.update is not None
        report = run.validator.evaluate(run.update, run.step, run.best)
        run.metrics = dict(report.metrics)
        run.validated, run.saved = run.step, -1
        if report.improved:
            run.best = report.metrics[self.config.best_metric]
            self._save(run, self.best, state=None)
        self._tell(lambda callback: callback.on_validation(report))
        run.seconds = self._clock() - run.began

    def _save_last(self, run: _Run) -> None:
        """Saves all that an exact resume needs."""
        state = {
            "seconds": run.seconds,
            "best": run.best,
            "stage_index": run.stage_index,
            "update": run.update.state_dict() if run.update else {},
            "random": randomness.capture(run.model.action_mean.device),
        }
        self._save(run, self.last, state)
        run.saved = run.step

    def _save(self, run: _Run, path: Path, state: Mapping[str, Any] | None) -> None:
        save_checkpoint(
            path,
            run.model,
            step=run.step,
            metrics=run.metrics,
            training=asdict(self.config),
            data=self._description,
            state=state,
        )
        self._tell(lambda callback: callback.on_checkpoint(path))

    def _restore(self, run: _Run, info: CheckpointInfo) -> None:
        """Puts a run back where ``last`` was saved."""
        state = load_state(info)
        load_weights(run.model, info)
        run.step = run.saved = run.validated = info.step
        run.seconds, run.best, run.metrics = state["seconds"], state["best"], info.metrics
        run.resumed = (state["stage_index"], state["update"])
        randomness.restore(state["random"], run.model.action_mean.device)
        log.info("resumed from %s after %d steps", info.path, info.step)

    def _failure(self, run: _Run, kept: Mapping[str, Any], error: NotFiniteError) -> TrainingError:
        """Keeps what led to a failure and says where."""
        stage = self._schedule.stages[run.stage_index]
        path = self.directory / "failure"
        self._save(run, path, {**kept, "objective": stage.objective})
        good = settled(self.last)
        return TrainingError(
            f"{error} at step {run.step} (stage {run.stage_index}, objective "
            f"{stage.objective!r}). The weights, the batch and the random state that gave it are "
            f"in {path}; the last good checkpoint is {good if good.exists() else 'not there yet'}. "
            "Try a lower learning_rate, a lower gradient_clip or precision=float32"
        )

    def _progress(self, run: _Run) -> float:
        return self._schedule.progress(run.step, run.seconds)

    def _tell(self, message: Callable[[Callback], None]) -> None:
        for callback in self._callbacks:
            message(callback)
