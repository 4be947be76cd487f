"""Shows a training run on the terminal; where there is none, its validations are logged."""

from __future__ import annotations

import logging

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from armillary.experiments.command.console import messages
from armillary.world_models.training.callbacks import Callback, StepReport, ValidationReport
from armillary.world_models.training.schedule import Stage

log = logging.getLogger(__name__)


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
