"""One optimiser step of one stage: loss, gradient, clipping, precision and their failures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.world_models.model import Losses, WorldModel
from armillary.world_models.training.batches import Batch
from armillary.world_models.training.config import OPTIMIZERS, PRECISIONS, TrainerConfig
from armillary.world_models.training.engine import Engine
from armillary.world_models.training.schedule import Stage

TOTAL = "total"
"""The name of the loss that is differentiated."""


class NotFiniteError(FloatingPointError):
    """A loss or a gradient is NaN or infinite; the message names it."""


class Update:
    """The optimiser of a stage; ``apply`` does one step.

    Parameters that the stage's objective does not train get ``requires_grad=False``.

    Args:
        model: on its device.
        stage: what to train.
        config: optimiser, precision, clipping, accumulation, compilation.
        engine: the processes that share each step.
    """

    def __init__(
        self, model: WorldModel, stage: Stage, config: TrainerConfig, engine: Engine
    ) -> None:
        self._model = model
        self._stage = stage
        self._config = config
        self._engine = engine
        self._device = model.action_mean.device
        if config.precision == "fp16" and self._device.type != "cuda":
            raise ArmillaryError(
                f"precision=fp16 needs a cuda device, got {self._device.type}; "
                "choose float32 or bf16"
            )
        self._parameters = model.trainable(stage.objective)
        trained = {id(parameter) for parameter in self._parameters}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in trained)
        self._optimizer = OPTIMIZERS[config.optimizer](
            self._parameters, lr=stage.learning_rate, weight_decay=config.weight_decay
        )
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision == "fp16")
        self._losses = torch.compile(_losses) if config.compile else _losses

    def apply(
        self, batch: Batch, step: int, learning_rate: float
    ) -> tuple[dict[str, float], float]:
        """Updates the model and tells it so.

        Args:
            batch: this process's share of the clips.
            step: optimiser steps done so far.
            learning_rate: of this step.

        Returns:
            The losses, ``total`` first, and the norm of the gradient before clipping, both of the
            clips of all processes.

        Raises:
            FloatingPointError: in some process a loss, or with precision other than fp16 a
                gradient, is NaN or infinite, or the model itself raised it; all processes raise it
                and the parameters and the optimiser are as before.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.zero_grad(set_to_none=True)
        sums = self._differentiate(batch, step)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        self._engine.average([*gradients, *sums.values()])
        _check_losses(sums)
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.get_total_norm(gradients)
        # Before clipping, which would spread one NaN to every parameter.
        if not self._scaler.is_enabled():
            self._check_gradient(norm)
        nn.utils.clip_grads_with_norm_(self._parameters, self._config.gradient_clip, norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        losses = {name: float(value) for name, value in sums.items()}
        terms = {name: value for name, value in losses.items() if name != TOTAL}
        self._model.finish_step(terms, step)
        return losses, float(norm)

    def _differentiate(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Adds up the gradients of a batch's parts; returns the mean losses, the total first."""
        count = self._config.accumulate
        sums: dict[str, Tensor] = {}
        problem: FloatingPointError | None = None
        try:
            for part in batch.parts(count):
                losses = self.evaluate(part, step)
                self._scaler.scale(losses.total / count).backward()
                for name, value in {TOTAL: losses.total.detach(), **losses.terms}.items():
                    share = value / count
                    sums[name] = sums[name] + share if name in sums else share
        except FloatingPointError as error:
            problem = error
        if self._engine.any(problem is not None):
            told = self._engine.gather(None if problem is None else str(problem))
            raise NotFiniteError(next(filter(None, told), "the loss is not finite")) from problem
        return sums

    def evaluate(self, batch: Batch, step: int) -> Losses:
        """The losses of a batch at the configured precision."""
        dtype = PRECISIONS[self._config.precision]
        with torch.autocast(self._device.type, dtype=dtype, enabled=dtype != torch.float32):
            return self._losses(self._model, batch, self._stage.objective, step)

    def state_dict(self) -> dict[str, Any]:
        """What ``load_state_dict`` needs to continue."""
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where ``state_dict`` was taken."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def _check_gradient(self, norm: Tensor) -> None:
        if not torch.isfinite(norm):
            trained = {id(parameter) for parameter in self._parameters}
            for name, parameter in self._model.named_parameters():
                gradient = parameter.grad if id(parameter) in trained else None
                if gradient is not None and not torch.isfinite(gradient).all():
                    raise NotFiniteError(f"the gradient of {name!r} is not finite")
            raise NotFiniteError(f"the norm of the gradient is {float(norm)}")


def _check_losses(values: dict[str, Tensor]) -> None:
    """Names the term to blame, or the total where every term is finite."""
    if not torch.isfinite(values[TOTAL]):
        culprit = [name for name, value in values.items() if not torch.isfinite(value)][-1]
        raise NotFiniteError(f"the loss {culprit!r} is {float(values[culprit])}")


def _losses(model: WorldModel, batch: Batch, objective: str, step: int) -> Losses:
    return batch.losses(model, objective, step)
