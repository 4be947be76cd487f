"""Noise that everyone in a batch shares."""

from __future__ import annotations

import torch

from armillary.world_models.blocks.noise import SharedNoise


def test_shared_noise_is_the_batchs_and_the_same_whenever_it_is_made() -> None:
    like = torch.zeros(1, dtype=torch.float64)
    noise, single = SharedNoise(), SharedNoise()
    first, second = noise.latent((3, 2, 4), like), noise.latent((3, 2, 4), like)
    assert first.dtype == torch.float64
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0, 0], first[0, 1])
    assert not torch.equal(first, second)
    assert torch.equal(single.latent((1, 2, 4), like)[0], first[0])
    assert not torch.equal(
        SharedNoise(seed=1).action((1, 2), like), SharedNoise().action((1, 2), like)
    )


def test_skipped_draws_are_left_out() -> None:
    like, whole, skipping = torch.zeros(2, 3, 5), SharedNoise(), SharedNoise()
    drawn = [whole.latent((2, 3, 5), like) for _ in range(3)]
    skipping.skip(2, (3, 5))
    assert torch.equal(skipping.latent((2, 3, 5), like), drawn[2])
