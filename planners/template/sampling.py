"""Gaussian noise for candidates: one generator per problem, coloured over time, mirrored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import groupby

import torch
from torch import Tensor

_DRAWN_AT_ONCE = 1 << 17


def populations(
    sizes: Sequence[int],
    like: Tensor,
    exponent: float,
    generators: Sequence[torch.Generator],
    centred: Collection[int] = (),
) -> Iterator[Tensor]:
    """Yields the noise of every iteration: zero mean, unit variance at every time step.

    The second half of a population mirrors the first: its mean is exactly in the middle, and half
    of the drawing is saved (antithetic variates, Hammersley & Morton 1956). The noise of problem b
    depends on ``generators[b]`` alone and is drawn on that generator's device, for speed for
    several iterations at once, up to 2^17 numbers.

    Args:
        sizes: candidates S_i of each iteration.
        like: (B, T, A), for the shape, the type and the device.
        exponent: of the power spectrum over time, see ``colouring``; 0 is white noise.
        generators: one per problem.
        centred: the iterations whose first sample is zero.

    Yields:
        (B, S_i, T * A).
    """
    first = 0
    for size, count in _groups(sizes, like[0].numel()):
        pairs = (size + 1) // 2
        noise = like.new_empty(len(like), count, 2, pairs, *like.shape[1:])
        for row, generator in zip(noise[:, :, 0], generators, strict=True):
            row.copy_(_coloured(row.shape, exponent, generator, like.dtype))
        torch.neg(noise[:, :, 0], out=noise[:, :, 1])
        noise = noise.flatten(2, 3).flatten(3)[:, :, :size]
        middle = [i for i in range(count) if first + i in centred]
        for places in [slice(None)] if len(middle) == count else middle:
            noise[:, places, 0] = 0
        yield from noise.unbind(1)
        first += count


def colouring(horizon: int, exponent: float) -> Tensor:
    """The map L from white to coloured noise over time, (T, T) float64 with rows of norm 1.

    ``L @ z`` has the power spectrum f^-exponent over the frequencies of T steps, like the FFT
    method of Timmer & Koenig (1995) that iCEM uses (Pinneri et al. 2020); frequency 0 gets the
    power of the lowest other one. One normalisation holds for all samples, which makes the variance
    1 at every time step for every horizon. At these lengths a product is faster than an FFT.

    Args:
        horizon: T, time steps.
        exponent: 0 white, 1 pink, 2 red noise; larger is smoother over time.
    """
    frequencies = torch.fft.rfftfreq(horizon, dtype=torch.float64).clamp_min(1 / horizon)
    amplitudes = frequencies.pow(-exponent / 2)
    filtered = torch.fft.rfft(torch.eye(horizon, dtype=torch.float64)) * amplitudes
    coloured = torch.fft.irfft(filtered, n=horizon)
    return coloured / coloured.norm(dim=1, keepdim=True)


def _groups(sizes: Sequence[int], numbers: int) -> Iterator[tuple[int, int]]:
    """(S_i, how many iterations of this size are drawn together); a candidate is ``numbers``."""
    for size, run in groupby(sizes):
        left = len(list(run))
        most = max(1, 2 * _DRAWN_AT_ONCE // (size * numbers))
        while left:
            count = min(left, most)
            yield size, count
            left -= count


def _coloured(
    shape: torch.Size, exponent: float, generator: torch.Generator, dtype: torch.dtype
) -> Tensor:
    """One problem's noise, (n, pairs, T, A)."""
    device = generator.device
    white = torch.randn(shape, generator=generator, device=device, dtype=dtype)
    if exponent == 0:
        return white
    # Time first: one product, of the same shape whoever shares the batch.
    count, pairs, horizon, actions = shape
    coloured = _colouring_on(horizon, exponent, device, dtype) @ white.view(horizon, -1)
    return coloured.view(horizon, count, pairs, actions).movedim(0, 2)


@lru_cache(maxsize=32)
def _colouring_on(
    horizon: int, exponent: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    return colouring(horizon, exponent).to(device, dtype)
