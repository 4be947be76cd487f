"""The one trainer of every model: stages, validation, checkpoints, exact resume."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from armillary.threads import Threads
from armillary.world_models.checkpoints.checkpoint import (
    CheckpointInfo,
    load_state,
    load_weights,
    read_info,
    save_checkpoint,
)
from armillary.world_models.checkpoints.locate import CheckpointError, settled
from armillary.world_models.data import Split, action_statistics
from armillary.world_models.data.identity import CONTENT_ID
from armillary.world_models.device import placed
from armillary.world_models.model import WorldModel
from armillary.world_models.training import randomness
from armillary.world_models.training.callbacks import Callback, StepReport
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.encoding import Encoding
from armillary.world_models.training.engine import make_engine
from armillary.world_models.training.interruption import Interruption
from armillary.world_models.training.preflight import (
    Resume,
    check_fit,
    earlier_run,
    initial_weights,
    other_data,
    told_of,
)
from armillary.world_models.training.run import Outcome, Run
from armillary.world_models.training.steps.batches import Batch, stage_batches
from armillary.world_models.training.steps.ledger import Entry, Ledger
from armillary.world_models.training.steps.update import Update
from armillary.world_models.training.survey import survey
from armillary.world_models.training.threads import suit
from armillary.world_models.validation.validator import Validator

log = logging.getLogger(__name__)

_READ_EVERY = 20
"""Steps whose losses are read together where a device would be waited for."""

JUDGES = ("best_metric", "validation_clips", "validation_horizon")
"""The settings that say how good a model is; with others, what was best cannot be compared."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which step, why, and what was kept."""


class Trainer:
    """Trains any ``WorldModel`` and writes ``DIRECTORY/checkpoints/{last,best}``.

    Args:
        config: stages, bounds, optimiser, precision, intervals.
        directory: of the run.
        callbacks: told of every step, validation and checkpoint, in the process that leads.
        description: of the data, JSON-able; it goes into the checkpoints.
        clock: seconds, for the time bound.
        threads: of the CPU; by default they follow what is free, as ``config.threads`` says.

    Raises:
        ValueError: the settings need devices or a library that are not there.
    """

    def __init__(
        self,
        config: TrainerConfig,
        directory: str | Path,
        callbacks: Sequence[Callback] = (),
        *,
        description: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        threads: Threads | None = None,
    ) -> None:
        self.config = config
        self.directory = Path(directory)
        self.last = self.directory / "checkpoints" / "last"
        self.best = self.directory / "checkpoints" / "best"
        self._schedule = config.schedule
        self._engine = make_engine(
            config.device, devices=config.devices, nodes=config.nodes, strategy=config.strategy
        )
        self._callbacks = callbacks if self._engine.leads else ()
        self._description = dict(description or {})
        self._clock = clock
        self._ledger = Ledger(1)
        self._threads = threads or Threads(
            config.threads, config.devices if config.processes > 1 else None, config.workers
        )

    @property
    def leads(self) -> bool:
        """Whether this process is the one of the run's that validates, writes and reports."""
        return self._engine.leads

    def fit(
        self,
        model: WorldModel,
        train: Split,
        validation: Split,
        *,
        resume: Resume = "auto",
        data_changed: bool = False,
    ) -> Outcome:
        """Trains until the schedule ends, or until a signal ends it (INT, TERM, HUP) after a step.

        A resumed run continues bit for bit as if it had not stopped, on the same machine, with as
        many processes and, for runs bounded by steps alone, whenever it stopped; and as long as
        the number of threads stays, which it does on a quiet machine or where it was chosen. Every
        process of a run calls this with the same arguments; the directory is that of the one that
        leads.

        Args:
            model: built by ``build_model``; left on the configured device in evaluation mode. The
                caller seeds its initial weights.
            train: episodes to learn from; they also fix the model's action normalisation.
            validation: held-out episodes.
            resume: ``auto`` continues from ``last`` if there is one, ``never`` refuses to touch a
                directory that has one, ``required`` refuses to start anew.
            data_changed: whether to go on with other data than ``description`` said before. The
                action normalisation stays, ``best`` starts anew, and checkpoints list the former
                data under ``former``.

        Raises:
            ValueError: settings, data and model do not fit together; nothing was trained.
            CheckpointError: ``last`` is damaged, of another run or data, or against ``resume``.
            TrainingError: a loss or a gradient is NaN or infinite: the weights, the batch and the
                random state that led there are kept in ``DIRECTORY/failure``. Or the device has
                too little memory for a step.
        """
        config, engine = self.config, self._engine
        earlier = earlier_run(self.last, model, config, resume) if self.leads else None
        told = earlier and self._follow(earlier, data_changed)
        check_fit(config, model, train, validation)
        anew = self.leads and earlier is None  # from one process the others have their weights
        initial = initial_weights(model, config) if anew else None
        encoding = Encoding(train, lambda: self._threads.look(f"step {run.step}"), measured=True)
        run = Run(model, train, Validator(model, validation, config), encoding)
        device = engine.start()
        placed(model, device).train()
        randomness.seed_everything(config.seed)
        if earlier is None:
            if initial is not None:
                load_weights(model, initial)
                log.info("starts from the weights of %s", told_of(initial, model))
            statistics = action_statistics(train, config.stages[-1].stride)
            model.set_action_statistics(statistics.mean, statistics.std)
            survey(model, train)
        else:
            self._restore(run, earlier, anew=bool(told))
        self._agree(run)
        self._ledger = Ledger(config.read_every or (1 if device.type == "cpu" else _READ_EVERY))
        self._threads.start(run.threads)
        run.began = self._clock() - run.seconds
        self._tell(lambda callback: callback.on_start(run.step))
        try:
            with Interruption() as interruption:
                while not engine.any(interruption.requested) and self._progress(run) < 1:
                    self._train(run)
                    if self._ledger.full:
                        self._read(run)
                    if run.step % config.validate_every == 0:
                        self._validate(run)
                    if run.step % config.checkpoint_every == 0:
                        self._save_last(run)
                self._read(run)
                interrupted = self._progress(run) < 1
                if not interrupted and run.validated != run.step:
                    self._validate(run)
                if run.saved != run.step:
                    self._save_last(run)
        finally:
            model.requires_grad_(True).eval()
            self._threads.stop()
            self._tell(lambda callback: callback.on_end())
        return run.outcome(interrupted, self.last, interruption.signal)

    def _train(self, run: Run) -> None:
        """One optimiser step, at the start of a stage after its preparation."""
        position = self._schedule.position(run.step, run.seconds)
        index = self._schedule.stage_at(position)
        starts = run.update is None or index != run.stage_index
        if starts:
            self._read(run)
            run.update = self._start_stage(run, index)
        assert run.update is not None
        rate = self._schedule.learning_rate(position)
        batch = next(run.batches)
        self._threads.look(f"step {run.step}")
        if starts:
            stage = self._schedule.stages[index]
            suit(self._threads, run.model, batch, stage, self.config.accumulate)
            run.began = self._clock() - run.seconds
        self._engine.seed_step(self.config.seed, run.step)
        random_state = randomness.capture(run.model.action_mean.device)
        try:
            row = run.update.apply(batch, run.step, rate)
        except FloatingPointError as error:
            self._read(run)
            raise self._failure(run, batch, random_state, error) from error
        except torch.OutOfMemoryError as error:
            if self.config.processes > 1:  # the others cannot know: whoever started them ends them
                raise
            self._read(run)
            reason = str(error).partition("\n")[0]
            kept = f"; checkpoints are in {self.last.parent}" * settled(self.last).exists()
            stage = self._schedule.stages[index]
            again = " set trainer.recompute=true (decoders of published models),"
            again *= not self.config.recompute
            raise TrainingError(
                f"step {run.step + 1}: {run.model.action_mean.device} has too little memory for "
                f"{stage.batch_size} clips of {stage.length} frames, computed in "
                f"{self.config.accumulate} parts: {reason} Raise trainer.accumulate, which "
                f"computes the same in more parts,{again} or lower the stage's batch_size or "
                f"length{kept}"
            ) from error
        run.step += 1
        run.stage_steps[index] += 1
        self._read_clock(run)
        self._ledger.add(
            Entry(
                step=run.step,
                stage_index=index,
                update=run.update,
                row=row,
                learning_rate=rate,
                batch=batch,
                random=random_state,
                progress=self._progress(run),
                seconds=run.seconds,
            )
        )

    def _read(self, run: Run) -> None:
        """Tells of the steps since the last time; ends the run at the first that failed."""
        for entry, row in self._ledger.read():
            try:
                losses, norm = entry.update.told(row)
            except FloatingPointError as error:
                run.stage_steps[entry.stage_index] -= run.step - entry.step + 1
                run.step = entry.step - 1
                raise self._failure(run, entry.batch, entry.random, error) from error
            report = StepReport(
                step=entry.step,
                progress=entry.progress,
                seconds=entry.seconds,
                stage_index=entry.stage_index,
                stage=self._schedule.stages[entry.stage_index],
                losses=losses,
                learning_rate=entry.learning_rate,
                gradient_norm=norm,
            )
            self._tell(lambda callback, report=report: callback.on_step(report))

    def _start_stage(self, run: Run, index: int) -> Update:
        """Makes a stage's optimiser and batches, without touching training's random numbers."""
        stage, seed = self._schedule.stages[index], self.config.seed
        log.info("stage %d (%s) starts after %d steps", index, stage.objective, run.step)
        self._tell(lambda callback: callback.on_stage(index, stage))
        self._threads.whole()
        if stage.target is not None:
            run.model.set_target(stage.target)
        former = self._optimizer_state(run, index)
        run.stage_index = index
        update = Update(run.model, stage, self.config, self._engine)
        if former is not None:
            update.load_state_dict(former)
        with randomness.isolated(seed, run.model.action_mean.device):
            run.batches = stage_batches(
                run.model,
                run.train,
                stage,
                seed=seed,
                first_step=run.step,
                workers=self.config.workers,
                share=self._engine.share,
                encoded=run.encoding.states(run.model, stage),
                resident=self.config.resident,
            )
        if self.leads:
            run.validator.start_stage(stage)
        return update

    def _optimizer_state(self, run: Run, index: int) -> dict[str, Any] | None:
        """What stage ``index`` continues with: that of the session or the stage before, or None."""
        former = run.resumed
        if run.update is not None:
            former = (run.stage_index, run.update.state_dict())
        if former is None or former[0] < 0:
            return None
        entered = self._schedule.stages[former[0] + 1 : index + 1]
        return former[1] if all(stage.keep_optimizer for stage in entered) else None

    def _validate(self, run: Run) -> None:
        """Evaluates the model and keeps it if it is the best so far."""
        self._read(run)
        run.validated, run.saved = run.step, -1
        if self.leads:
            assert run.update is not None
            report = run.validator.evaluate(run.update, run.step, run.best)
            run.metrics = dict(report.metrics)
            if report.improved:
                run.best = report.metrics[self.config.best_metric]
                self._save(run, self.best, state=None)
            self._tell(lambda callback: callback.on_validation(report))
        self._read_clock(run)

    def _save_last(self, run: Run) -> None:
        """Saves all that an exact resume needs."""
        self._read(run)
        random_state = randomness.capture(run.model.action_mean.device)
        state = {"threads": self._threads.number, "random": random_state}
        self._save(run, self.last, {**run.state(), **state})
        run.saved = run.step

    def _save(self, run: Run, path: Path, state: Mapping[str, Any] | None) -> None:
        if not self.leads:
            return
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

    def _follow(self, earlier: CheckpointInfo, data_changed: bool) -> str | None:
        """How the data differ from those before, which the description then lists; else None."""
        former = list(earlier.data.get("former", ()))
        told = other_data(earlier.data, self._description)
        if told and not data_changed:
            raise CheckpointError(
                f"{self.last} was trained on other data: {told}. Give the data it was begun with, "
                "another output directory, or data.changed=true to go on with these"
            )
        if told:
            log.warning("going on with other data: %s; action statistics stay as they were", told)
            names = ("file", "path", CONTENT_ID)
            known = {name: earlier.data[name] for name in names if name in earlier.data}
            former.append({**known, "until_step": earlier.step})
        if former:
            self._description["former"] = former
        return told

    def _restore(self, run: Run, info: CheckpointInfo, anew: bool) -> None:
        """Puts a run back where ``last`` was saved; ``anew`` forgets how good ``best`` was."""
        state = load_state(info)
        load_weights(run.model, info)
        run.restore(info, state)
        config, before = asdict(self.config), info.training
        judges = [name for name in JUDGES if before.get(name, config[name]) != config[name]]
        if anew or judges:
            log.info("what is best is judged anew: %s", ", ".join(judges) or "other data")
            kept = not anew and judges == ["best_metric"] and settled(self.best).exists()
            metrics = read_info(self.best).metrics if kept else {}
            run.best = metrics.get(self.config.best_metric, float("-inf"))
        randomness.restore(state["random"], run.model.action_mean.device)
        log.info("resumed from %s after %d steps", info.path, info.step)

    def _agree(self, run: Run) -> None:
        """Gives every process the weights and the place of the one that leads."""
        weights = {name: tensor.cpu() for name, tensor in run.model.state_dict().items()}
        place = (run.step, run.seconds, run.saved, run.validated, run.resumed)
        weights, place = self._engine.broadcast((weights, place))
        run.model.load_state_dict(weights)
        run.step, run.seconds, run.saved, run.validated, run.resumed = place

    def _failure(
        self, run: Run, batch: Batch, random: dict[str, Tensor], error: FloatingPointError
    ) -> TrainingError:
        """Keeps what led to a failure, the other processes' share beside it, and says where."""
        tensors = {name: tensor.cpu() for name, tensor in batch.tensors().items()}
        kept = {"batch": tensors, "random": random}
        stage = self._schedule.stages[run.stage_index]
        path = self.directory / "failure"
        first, *others = self._engine.gather(kept)
        self._save(run, path, {**first, "others": others, "objective": stage.objective})
        self._engine.broadcast(None)
        good = settled(self.last)
        return TrainingError(
            f"{error} at step {run.step} (stage {run.stage_index}, objective "
            f"{stage.objective!r}). The weights, the batch and the random state that gave it are "
            f"in {path}; the last good checkpoint is {good if good.exists() else 'not there yet'}. "
            "Try a lower learning_rate, a lower gradient_clip or precision=float32"
        )

    def _read_clock(self, run: Run) -> None:
        run.seconds = self._engine.mean(self._clock() - run.began)

    def _progress(self, run: Run) -> float:
        return self._schedule.progress(run.step, run.seconds)

    def _tell(self, message: Callable[[Callback], None]) -> None:
        for callback in self._callbacks:
            message(callback)
