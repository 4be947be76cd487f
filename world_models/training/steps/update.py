"""One optimiser step of one stage: loss, gradient, clipping, precision and their failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from armillary.recomputation import recomputing
from armillary.world_models.device import check_precision, computing_in
from armillary.world_models.model import Losses, WorldModel
from armillary.world_models.replay.recordings import leaves, regrown
from armillary.world_models.replay.steps import Capture, CudaCapture, RepeatedStep
from armillary.world_models.training.config import OPTIMIZERS, TrainerConfig
from armillary.world_models.training.engine import Engine
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import Batch

TOTAL = "total"
"""The name of the loss that is differentiated."""
_GUARDED = ("cpu", "cuda")
"""Devices whose fused optimisers leave everything as it was where they are told to."""


class NotFiniteError(FloatingPointError):
    """A loss or a gradient is NaN or infinite; the message names it."""


class Update:
    """The optimiser of a stage; ``apply`` does one step and waits for nothing.

    Parameters that the stage's objective does not train get ``requires_grad=False``. After a step
    that was not finite nothing changes any more: the parameters, the optimiser and the model's
    buffers stay as they were before it, whatever is applied, until ``told`` is asked.

    Args:
        model: on its device.
        stage: what to train.
        config: optimiser, precision, clipping, accumulation, compilation, capture.
        engine: the processes that share each step.
        capture: how steps are recorded and replayed; by default as CUDA graphs, where there is
            one process on a CUDA device and ``config.capture`` and the precision allow it.
    """

    def __init__(
        self,
        model: WorldModel,
        stage: Stage,
        config: TrainerConfig,
        engine: Engine,
        capture: Capture | None = None,
    ) -> None:
        self._model = model
        self._stage = stage
        self._config = config
        self._engine = engine
        self._device = model.action_mean.device
        check_precision(config.precision, self._device)
        self._parameters = model.trainable(stage.objective)
        trained = {id(parameter) for parameter in self._parameters}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in trained)
        self._guarded = self._device.type in _GUARDED
        self._optimizer = OPTIMIZERS[config.optimizer](
            self._parameters,
            lr=stage.learning_rate,
            weight_decay=config.weight_decay,
            fused=self._guarded or None,
            capturable=self._device.type == "cuda",
        )
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision == "fp16")
        self._losses = torch.compile(_losses) if config.compile else _losses
        self._terms: tuple[str, ...] = ()
        self._bad = torch.zeros((), device=self._device)
        self._step = torch.zeros((), dtype=torch.int64, device=self._device)
        self._rate = torch.zeros((), device=self._device)
        if capture is None and config.capture and _capturable(config, self._device):
            capture = CudaCapture(self._device)
        self._batch: Batch | None = None
        self._repeated: RepeatedStep | None = None
        if capture is not None:
            name = f"a training step of {type(model).__name__}"
            self._repeated = RepeatedStep(name, self._recorded, capture)

    @property
    def replayed(self) -> bool:
        """Whether steps are replayed from a recording now."""
        return self._repeated is not None and self._repeated.replayed

    @property
    def refused(self) -> tuple[str, ...]:
        """The name of the step, where it was to be recorded and cannot be."""
        return () if self._repeated is None else self._repeated.refused

    def apply(self, batch: Batch, step: int, learning_rate: float) -> Tensor:
        """Updates the model and tells it so.

        Args:
            batch: this process's share of the clips.
            step: optimiser steps done so far.
            learning_rate: of this step.

        Returns:
            (L + 2,) on the device, of the clips of all processes: what ``told`` reads.

        Raises:
            FloatingPointError: in some process the model itself raised it, or with precision fp16
                a loss is NaN or infinite; all processes raise it and the parameters and the
                optimiser are as before.
        """
        if self._repeated is None:
            self._set_rate(learning_rate)
            return self._advance(batch, step)
        self._step.fill_(step)
        self._rate.fill_(learning_rate)
        self._set_rate(self._rate)
        self._batch = batch
        (row,) = self._repeated(leaves(batch))
        return row

    def told(self, row: Sequence[float]) -> tuple[dict[str, float], float]:
        """The losses of a step, ``total`` first, and the norm of the gradient before clipping.

        Args:
            row: the numbers that ``apply`` returned.

        Raises:
            NotFiniteError: with the term or the parameter to blame; steps change things again.
        """
        *values, norm, culprit = row
        losses = dict(zip((TOTAL, *self._terms), values, strict=True))
        if not math.isfinite(losses[TOTAL]):
            self._bad.zero_()
            name = [name for name, value in losses.items() if not math.isfinite(value)][-1]
            raise NotFiniteError(f"the loss {name!r} is {losses[name]}")
        if not math.isfinite(norm) and not self._scaler.is_enabled():
            self._bad.zero_()
            if culprit < 0:
                raise NotFiniteError(f"the norm of the gradient is {norm}")
            blamed = self._with_gradient()[int(culprit)]
            names = {id(parameter): name for name, parameter in self._model.named_parameters()}
            raise NotFiniteError(f"the gradient of {names[id(blamed)]!r} is not finite")
        return losses, norm

    def _recorded(self, *tensors: Tensor) -> tuple[Tensor]:
        assert self._batch is not None
        return (self._advance(regrown(self._batch, tensors), self._step),)

    def _advance(self, batch: Batch, step: int | Tensor) -> Tensor:
        """One step; the row that it tells."""
        kept = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        self._optimizer.zero_grad(set_to_none=True)
        sums = self._differentiate(batch, step)
        gradients = [p.grad for p in self._with_gradient() if p.grad is not None]
        self._engine.average([*gradients, *sums.values()])
        self._terms = tuple(name for name in sums if name != TOTAL)
        self._scaler.unscale_(self._optimizer)
        norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        norm = torch.linalg.vector_norm(norms)
        # Of the first gradient that is not finite, or -1 where all are.
        wrong = ~norms.isfinite()
        culprit = torch.where(wrong.any(), wrong.to(torch.uint8).argmax(), -1)
        row = torch.stack([value.float() for value in (*sums.values(), norm, culprit)])
        self._guard(row, sums[TOTAL], norm)
        nn.utils.clip_grads_with_norm_(self._parameters, self._config.gradient_clip, norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        terms = {name: value for name, value in sums.items() if name != TOTAL}
        self._model.finish_step(terms, step)
        for buffer, before in kept:
            buffer.copy_(torch.where(self._bad > 0, before, buffer))
        return row

    def _guard(self, row: Tensor, total: Tensor, norm: Tensor) -> None:
        """Keeps the optimiser from a step that is not finite, and from all after it."""
        if self._scaler.is_enabled() or not self._guarded:
            self.told(row.tolist())
            return
        wrong = ~(total.isfinite() & norm.isfinite())
        self._bad.copy_(torch.maximum(self._bad, wrong.to(self._bad.dtype)))
        self._optimizer.found_inf = self._bad  # type: ignore[attr-defined]  (as GradScaler does)

    def _with_gradient(self) -> list[nn.Parameter]:
        return [parameter for parameter in self._parameters if parameter.grad is not None]

    def _set_rate(self, rate: float | Tensor) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _differentiate(self, batch: Batch, step: int | Tensor) -> dict[str, Tensor]:
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

    def evaluate(self, batch: Batch, step: int | Tensor) -> Losses:
        """The losses of a batch at the configured precision."""
        config = self._config
        with computing_in(config.precision, self._device), recomputing(config.recompute):
            return self._losses(self._model, batch, self._stage.objective, step)

    def state_dict(self) -> dict[str, Any]:
        """What ``load_state_dict`` needs to continue."""
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where ``state_dict`` was taken, also by another kind of the same optimiser."""
        ways = ("fused", "capturable", "foreach")
        here = [{name: group[name] for name in ways} for group in self._optimizer.param_groups]
        saved = dict(state["optimizer"])
        saved["param_groups"] = [
            {**group, **way} for group, way in zip(saved["param_groups"], here, strict=True)
        ]
        self._optimizer.load_state_dict(saved)
        self._scaler.load_state_dict(state["scaler"])


def _capturable(config: TrainerConfig, device: torch.device) -> bool:
    return device.type == "cuda" and config.processes == 1 and config.precision != "fp16"


def _losses(model: WorldModel, batch: Batch, objective: str, step: int | Tensor) -> Losses:
    return batch.losses(model, objective, step)
