"""Noise that everyone in a batch shares."""

from __future__ import annotations

import torch

from armillary.world_models.blocks.noise import SharedNoise, shared_draws


def test_shared_noise_is_the_batchs_and_the_same_whenever_it_is_made() -> None:
    like = torch.zeros(1, dtype=torch.float64)
    noise, single = (SharedNoise(shared_draws(2, 2, 4)) for _ in range(2))
    first, second = noise.latent((3, 2, 4), like), noise.latent((3, 2, 4), like)
    assert first.dtype == torch.float64
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0, 0], first[0, 1])
    assert not torch.equal(first, second)
    assert torch.equal(single.latent((1, 2, 4), like)[0], first[0])
    assert not torch.equal(shared_draws(1, 2, seed=1), shared_draws(1, 2))


def test_draws_are_those_of_a_generator_of_their_own_and_leave_the_global_one_alone() -> None:
    torch.manual_seed(3)
    expected, generator = torch.rand(1), torch.Generator().manual_seed(0)
    torch.manual_seed(3)
    drawn = shared_draws(3, 5, 7)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(
        drawn, torch.stack([torch.randn(5, 7, generator=generator) for _ in range(3)])
    )


def test_draws_of_an_outline_take_no_memory() -> None:
    with torch.device("meta"):
        assert shared_draws(2, 10**6, 10**6).is_meta
