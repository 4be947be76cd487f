"""Where the random numbers of a training pass come from."""

from __future__ import annotations

from functools import lru_cache
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
    """The same draws for every member of a batch, and again whenever it is made anew.

    Inference needs noise even where a deterministic answer is wanted: slots that start alike, and
    take the mean, see the same evidence in every round and stay alike forever.

    Draws are kept, since making them anew would be waited for by a device.

    Args:
        seed: of the draws, which are made on the CPU and are the same on every device.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn: tuple[tuple[int, ...], ...] = ()

    def action(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return self._draw(shape, like)

    def latent(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``."""
        return self._draw(shape, like)

    def skip(self, draws: int, shape: tuple[int, ...]) -> None:
        """Leaves out some draws of (N, \\*shape), so that those before them are not repeated."""
        self._drawn += (shape,) * draws

    def _draw(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        self._drawn += (shape[1:],)
        return _last_draw(self._seed, self._drawn, like.device, like.dtype).expand(shape)


@lru_cache(maxsize=256)
def _last_draw(
    seed: int, shapes: tuple[tuple[int, ...], ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """(1, \\*shapes[-1]), what is drawn after all the others."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode(False):  # others may differentiate what follows from it
        draws = [torch.randn((1, *shape), generator=generator) for shape in shapes]
        return draws[-1].to(device, dtype)
