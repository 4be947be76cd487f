"""The validation rounds of a training run: fixed held-out clips, untouched random numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.data import Split, WindowDataset, ordered_batches
from armillary.world_models.model import WorldModel
from armillary.world_models.training.callbacks import ValidationReport
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.encoding import Encoding
from armillary.world_models.training.randomness import isolated
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import Batch, stage_batches
from armillary.world_models.training.steps.update import Update
from armillary.world_models.validation.open_loop import evaluate_open_loop, predict
from armillary.world_models.validation.tiers import evaluate_rollouts

PREVIEWS = 4
"""Clips whose scenes go into a report."""


class Validator:
    """Evaluates a model on the same clips each time, without touching training's random numbers.

    Args:
        model: on its device.
        split: the held-out episodes.
        config: how many clips, how far to imagine, which metric is the best's.

    Raises:
        ArmillaryError: the episodes are too short to imagine anything, or the best metric needs
            labels that they lack.
    """

    def __init__(self, model: WorldModel, split: Split, config: TrainerConfig) -> None:
        self._model = model
        self._split = split
        self._config = config
        self._encoding = Encoding(split, measured=False)
        self._loss_batch: Batch | None = None
        stride = config.stages[-1].stride
        frames = (split.length - 1) // stride + 1
        horizon = min(config.validation_horizon, frames - model.context_length)
        if horizon < 1:
            raise ArmillaryError(
                f"validation needs clips of more than {model.context_length} frames (the model's "
                f"context) at stride {stride}; the episodes of {split.path}, split "
                f"{split.name!r}, have {split.length}"
            )
        if config.best_metric.endswith("ari") and not split.has_masks:
            raise ArmillaryError(
                f"best_metric={config.best_metric} needs ground-truth masks, and split "
                f"{split.name!r} of {split.path} has none; choose open_loop_psnr or context_psnr"
            )
        clips = WindowDataset(split, model.context_length + horizon, stride)
        limit = config.validation_clips
        self._clips = next(ordered_batches(clips, batch_size=limit, limit=limit)).to_window()

    @property
    def _device(self) -> torch.device:
        return self._model.action_mean.device

    def start_stage(self, stage: Stage) -> None:
        """Chooses, and where the stage asks for it encodes, the clips of its validation loss."""
        with isolated(self._config.seed, self._device):
            batches = stage_batches(
                self._model,
                self._split,
                stage,
                seed=self._config.seed,
                encoded=self._encoding.states(self._model, stage),
            )
            self._loss_batch = next(batches)

    def evaluate(self, update: Update, step: int, best: float) -> ValidationReport:
        """Measures losses and open-loop quality after ``step`` steps.

        Args:
            update: of the present stage, for its loss.
            step: steps done.
            best: the best metric's value so far.
        """
        model, context = self._model, self._model.context_length
        assert self._loss_batch is not None, "start_stage comes first"
        model.eval()
        with isolated(self._config.seed, self._device), torch.no_grad():
            losses = update.evaluate(self._loss_batch, step)
            metrics = evaluate_open_loop(model, self._clips, context).metrics()
            if self._config.validation_rollouts > 1:
                metrics |= evaluate_rollouts(
                    model,
                    self._clips,
                    context,
                    self._config.validation_rollouts,
                    torch.Generator().manual_seed(self._config.seed),
                )
            preview = self._clips.index(slice(PREVIEWS))
            scene = predict(model, preview.to(self._device), context)
        model.train()
        metrics["loss/total"] = float(losses.total)
        metrics |= {f"loss/{name}": float(value) for name, value in losses.terms.items()}
        return ValidationReport(
            step=step,
            metrics=metrics,
            truth=preview.frames,
            scene=scene.map(Tensor.cpu),
            context_length=context,
            improved=metrics.get(self._config.best_metric, float("-inf")) > best,
        )
