"""GECO: reconstruction down to a target as a constraint (Rezende & Viola 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEAST_BETA = 0.55


class Geco(nn.Module):
    """Weighs the negative log-likelihood of a frame against everything else in a loss.

    During a warm-up the weight is 1. From then on the loss holds the constraint
    ``softplus(beta) * (nll - target)``, with the value of its moving average and the gradient of
    the present batch; beta falls while the average misses the target by little.

    Args:
        target: greatest negative log-likelihood of a frame.
        warm_start: steps of the warm-up.
        decay: of the moving average.
        step_size: of beta.
    """

    def __init__(
        self, target: float, warm_start: int, decay: float = 0.99, step_size: float = 1e-6
    ) -> None:
        super().__init__()
        self.warm_start = warm_start
        self.decay = decay
        self.step_size = step_size
        self.target: Tensor
        self.average: Tensor
        self.beta: Tensor
        self.steps: Tensor
        self.register_buffer("target", torch.tensor(float(target)))
        self.register_buffer("average", torch.tensor(0.0))
        self.register_buffer("beta", torch.tensor(_LEAST_BETA))
        self.register_buffer("steps", torch.tensor(0))

    def weight(self, step: int | Tensor) -> Tensor:
        """() what the gradient of a negative log-likelihood is multiplied with at ``step``."""
        warm = self._tensor(step) < self.warm_start
        return torch.where(warm, torch.ones_like(self.beta), F.softplus(self.beta))

    def loss(self, nll: Tensor, step: int | Tensor, frames: int = 1) -> Tensor:
        """The share of the loss that the negative log-likelihood () of ``frames`` has at ``step``.

        In the warm-up it is their sum, afterwards the constraint on their mean, as published.
        """
        distance = self.target - nll / frames
        constraint = distance + (self.average - distance).detach()
        weighed = -F.softplus(self.beta).detach() * constraint
        return torch.where(self._tensor(step) < self.warm_start, nll, weighed)

    @torch.no_grad()
    def finish_step(self, nll: float | Tensor, step: int | Tensor) -> None:
        """Moves the average and beta after an optimiser step.

        Args:
            nll: of a frame, averaged over the batch's frames and clips.
            step: that ``loss`` was given.
        """
        step = self._tensor(step)
        self.steps.copy_(step + 1)
        distance = self.target - nll
        first, later = step == self.warm_start, step > self.warm_start
        moved = self.decay * self.average + (1 - self.decay) * distance
        self.average.copy_(torch.where(later, moved, torch.where(first, distance, self.average)))
        fallen = (self.beta - self.step_size * self.average).clamp(min=_LEAST_BETA)
        self.beta.copy_(torch.where(later, fallen, self.beta))

    def _tensor(self, step: int | Tensor) -> Tensor:
        """() on the device, made there: a copy from the processor would be waited for."""
        return step if isinstance(step, Tensor) else torch.full_like(self.steps, step)
