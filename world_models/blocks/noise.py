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


class NoNoise:
    """Takes the mean everywhere."""

    def action(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return like.new_zeros(shape)

    def latent(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return like.new_zeros(shape)
