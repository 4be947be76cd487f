"""The noise of candidates: variance, colour, mirrored pairs, one generator per problem."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import generators
from armillary.planners.template.sampling import colouring, populations

HORIZONS = [1, 2, 3, 5, 12, 33]
EXPONENTS = [0.0, 0.5, 2.0, 2.5, 3.5]


def drawn(
    size: int, problems: int, horizon: int, actions: int, exponent: float, iterations: int = 1
) -> Tensor:
    """(iterations, B, S, T, A)."""
    like = torch.zeros(problems, horizon, actions)
    noise = populations([size] * iterations, like, exponent, generators(problems))
    return torch.stack(list(noise)).unflatten(-1, (horizon, actions))


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_unit_variance_at_every_time_step(horizon: int, exponent: float) -> None:
    covariance = colouring(horizon, exponent) @ colouring(horizon, exponent).T
    assert_close(covariance.diag(), torch.ones(horizon, dtype=torch.float64))
    noise = drawn(20_000, 1, horizon, 2, exponent)[0, 0]
    assert_close(noise.square().mean((0, 2)), torch.ones(horizon), atol=0.05, rtol=0)
    assert_close(noise.mean(0), torch.zeros(horizon, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_power_falls_with_frequency_by_the_exponent(exponent: float) -> None:
    horizon = 64
    noise = drawn(4000, 1, horizon, 1, exponent)[0, 0, ..., 0]
    power = torch.fft.rfft(noise, dim=1).abs().square().mean(0)[1:-1].log()
    frequency = torch.arange(1, horizon // 2).log()
    centred = frequency - frequency.mean()
    slope = (centred * power).sum() / centred.square().sum()
    assert math.isclose(slope, -exponent, abs_tol=0.05)


def test_exponent_0_is_white() -> None:
    assert_close(colouring(7, 0.0), torch.eye(7, dtype=torch.float64))


def test_actions_are_independent_of_each_other() -> None:
    noise = drawn(20_000, 1, 6, 2, 2.0)[0, 0]
    assert (noise[..., 0] * noise[..., 1]).mean().abs() < 0.02


@pytest.mark.parametrize("exponent", [0.0, 2.0])
def test_the_second_half_mirrors_the_first(exponent: float) -> None:
    noise = drawn(8, 2, 3, 2, exponent, iterations=2)
    assert torch.equal(noise[:, :, 4:], -noise[:, :, :4])
    assert noise[:, :, :4].flatten().unique().numel() == noise[:, :, :4].numel()


@pytest.mark.parametrize("exponent", [0.0, 2.0])
@pytest.mark.parametrize("sizes", [[9, 9, 9], [40, 31, 20, 20, 20], [2]])
def test_a_problem_draws_from_its_own_generator(sizes: list[int], exponent: float) -> None:
    like = torch.zeros(4, 5, 3)
    together = list(populations(sizes, like, exponent, generators(4)))
    assert [noise.shape for noise in together] == [(4, size, 15) for size in sizes]
    for b in range(4):
        alone = populations(sizes, like[:1], exponent, generators(1, first=b))
        for whole, one in zip(together, alone, strict=True):
            assert torch.equal(whole[b : b + 1], one)
    assert not torch.equal(together[0][0], together[0][1])


def test_what_is_drawn_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    draw = torch.randn

    def watched(shape: torch.Size, **arguments: object) -> Tensor:
        nonlocal largest
        largest = max(largest, shape.numel())
        return draw(shape, **arguments)  # pyright: ignore

    monkeypatch.setattr(torch, "randn", watched)
    noise = list(populations([500] * 100, torch.zeros(1, 10, 4), 0.0, generators(1), range(100)))
    assert len(noise) == 100
    assert largest <= 1 << 17
    assert torch.stack(noise)[:, 0, 1:].flatten().unique().numel() > 1_900_000


def test_centred_populations_begin_with_zero() -> None:
    noise = populations([6] * 4, torch.zeros(2, 3, 1), 0.0, generators(2), centred={0, 3})
    assert [bool((population[:, 0] == 0).all()) for population in noise] == [1, 0, 0, 1]
