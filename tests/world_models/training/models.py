"""Toy models for what the plain one lacks: a target, moving averages, failures."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from armillary.world_models.model import Losses, Window
from armillary.world_models.registry import register_model
from armillary.world_models.state import LatentState
from tests.world_models import toy


@register_model("constrained_toy")
class ConstrainedToy(toy.ToyModel):
    """Weighs its reconstruction by a moving average of how far it is from a target, like GECO."""

    def __init__(self, *, noise_scale: float = 0.1) -> None:
        super().__init__(noise_scale=noise_scale)
        self.target: Tensor
        self.average: Tensor
        self.calls: Tensor
        self.register_buffer("target", torch.tensor(-1.0))
        self.register_buffer("average", torch.tensor(0.0))
        self.register_buffer("calls", torch.tensor(0))

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        assert step == int(self.calls)
        losses = super().loss(window, objective, step)
        return Losses(losses.total * (1 + self.average.abs()), losses.terms)

    def set_target(self, target: float) -> None:
        self.target.fill_(target)

    def finish_step(self, terms: Mapping[str, Tensor], step: int | Tensor) -> None:
        assert step == int(self.calls)
        assert "total" not in terms
        self.calls.add_(1)
        self.average.lerp_(terms["reconstruction"] - self.target, 0.1)


@register_model("blind_toy")
class BlindToy(toy.ToyModel):
    """From the ninth time on, its encoder sees NaN: in step 8, or in step 4 with two parts each."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def filter(
        self, frames: Tensor, actions: Tensor, previous: Tensor | None = None
    ) -> LatentState:
        states = super().filter(frames, actions, previous)
        self.seen += self.training and torch.is_grad_enabled()
        return states.map(lambda tensor: tensor * float("nan")) if self.seen > 8 else states


@register_model("refusing_toy")
class RefusingToy(toy.ToyModel):
    """Notices by itself, at step 2, that its numbers are not finite."""

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        if step == 2:
            raise FloatingPointError("the posterior is nan")
        return super().loss(window, objective, step)


@register_model("one_sided_toy")
class OneSidedToy(toy.ToyModel):
    """Fails at step 3, in the second of two processes only: a NaN, or an error of its own."""

    def __init__(self, *, raises: bool = False) -> None:
        super().__init__()
        self.raises = raises

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        losses = super().loss(window, objective, step)
        fails = step == 3 and os.environ.get("LOCAL_RANK") == "1"
        if fails and self.raises:
            raise FloatingPointError("the posterior is nan")
        spoiled = losses.total * (float("nan") if fails else 1.0)
        return Losses(spoiled, {**losses.terms, "spoiled": spoiled.detach()})


@register_model("partial_toy")
class PartialToy(toy.ToyModel):
    """Says that it trains everything, but its loss does not reach the dynamics."""

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        return super().loss(window, "discover", step)

    def trainable(self, objective: str) -> list[nn.Parameter]:
        return list(self.parameters())
