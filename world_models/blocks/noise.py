"""Where the random numbers of a training pass come from."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Noise(Protocol):
    """Standard-normal draws, in the order in which a pass asks for them."""

    def action(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The noise on actions; ``like`` gives type and device."""
        ...

    def latent(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The noise of latent samples; ``like`` gives type and device."""
        ...


class GlobalNoise:
    """Draws from torch's global generator, which the trainer seeds, saves and restores."""

    def action(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return torch.randn(shape, dtype=like.dtype, device=like.device)

    def latent(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return torch.randn(shape, dtype=like.dtype, device=like.device)


class SharedNoise:
    """The same draws for every member of a batch, one after the other.

    Inference needs noise even where a deterministic answer is wanted: slots that start alike, and
    take the mean, see the same evidence in every round and stay alike forever.

    Args:
        draws: (draws, ...) what one member gets, see ``shared_draws``.
    """

    def __init__(self, draws: Tensor) -> None:
        self._left = iter(draws)

    def action(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return self.latent(shape, like)

    def latent(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return next(self._left).to(like.device, like.dtype).expand(shape)


def shared_draws(draws: int, *shape: int, seed: int = 0) -> Tensor:
    """Standard normal (draws, \\*shape), always the same; the global generator is left as it was.

    Kept by a model they follow it to its device, and are constants of what is recorded of it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return torch.stack([torch.randn(shape) for _ in range(draws)])
