"""Gaussian noise for candidates: one generator per problem, coloured over time, in mirrored pairs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor

_DRAWN_AT_ONCE = 1 << 18


def populations(
    sizes: Sequence[int],
    like: Tensor,
    exponent: float,
    generators: Sequence[torch.Generator],
    centred: Collection[int] = (),
) -> Iterator[Tensor]:
    """Yields the noise of every iteration: zero mean, unit variance at every time step.

    Samples come in pairs z, -z: a population has its mean exactly in the middle, and half of the
    drawing is saved (antithetic variates, Hammersley & Morton 1956). The noise of problem b depends
    on ``generators[b]`` alone; it is drawn on the generator's device. For speed a problem's noise
    is drawn for several iterations at once, up to 2^18 numbers.

    Args:
        sizes: candidates S_i of each iteration.
        like: (B, T, A), for the shape, the type and the device.
        exponent: of the power spectrum over time, see ``colouring``; 0 is white noise.
        generators: one per problem.
        centred: the iterations whose first sample is zero.

    Yields:
        (B, S_i, T * A).
    """
    horizon, actions = like.shape[1:]
    pairs = [(size + 1) // 2 for size in sizes]
    together = max(1, _DRAWN_AT_ONCE // (max(pairs) * horizon * actions))
    for first in range(0, len(sizes), together):
        group = pairs[first : first + together]
        noise = like.new_empty(len(like), sum(group), 2, horizon, actions)
        for row, generator in zip(noise, generators, strict=True):
            row[:, 0] = _coloured((horizon, sum(group), actions), exponent, generator, like.dtype)
            torch.neg(row[:, 0], out=row[:, 1])
        for offset, population in enumerate(noise.flatten(3).split(group, 1)):
            if first + offset in centred:
                population[:, 0, 0] = 0
            yield population.flatten(1, 2)[:, : sizes[first + offset]]


def colouring(horizon: int, exponent: float) -> Tensor:
    """The map L from white to coloured noise over time, (T, T) float64, unit norm rows.

    ``L @ z`` has the power spectrum f^-exponent over the frequencies of T steps, as the FFT method
    of Timmer & Koenig (1995) has that iCEM uses (Pinneri et al. 2020); frequency 0 gets the power
    of the lowest other one. One normalisation holds for all samples, which makes the variance 1 at
    every time step for every horizon. At these lengths a product is faster than an FFT.

    Args:
        horizon: T, time steps.
        exponent: 0 white, 1 pink, 2 red noise; larger is smoother over time.
    """
    frequencies = torch.fft.rfftfreq(horizon, dtype=torch.float64).clamp_min(1 / horizon)
    amplitudes = frequencies.pow(-exponent / 2)
    filtered = torch.fft.rfft(torch.eye(horizon, dtype=torch.float64)) * amplitudes
    coloured = torch.fft.irfft(filtered, n=horizon)
    return coloured / coloured.norm(dim=1, keepdim=True)


def _coloured(
    shape: tuple[int, int, int], exponent: float, generator: torch.Generator, dtype: torch.dtype
) -> Tensor:
    """(T, n, A) for the shape -> one problem's noise (n, T, A)."""
    horizon, count, actions = shape
    device = generator.device
    if exponent == 0 or horizon == 1:
        return torch.randn(count, horizon, actions, generator=generator, device=device, dtype=dtype)
    white = torch.randn(horizon, count * actions, generator=generator, device=device, dtype=dtype)
    coloured = _colouring_on(horizon, exponent, device, dtype) @ white
    return coloured.view(shape).transpose(0, 1)


@lru_cache(maxsize=32)
def _colouring_on(
    horizon: int, exponent: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    return colouring(horizon, exponent).to(device, dtype)
