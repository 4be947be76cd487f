"""Gaussians and likelihoods against torch's own distributions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.distributions.kl import kl_divergence as torchs_kl
from torch.testing import assert_close

from armillary.world_models.blocks.gaussian import (
    gaussian_nll,
    kl_divergence,
    mixture_nll,
    to_std,
)

_CONSTANT = 0.5 * math.log(2 * math.pi)


def test_standard_deviations_are_positive_and_finite_whatever_the_parameter() -> None:
    raw = torch.tensor([-1e4, -5.0, 0.0, 3.0, 79.0])
    expected = (torch.log1p(raw.double().exp()) + 1e-5).sqrt().float()
    assert_close(to_std(raw), expected, rtol=1e-6, atol=0.0)
    assert to_std(torch.tensor(1e30)).item() == pytest.approx(math.sqrt(80.0))


def test_the_divergence_of_two_gaussians() -> None:
    torch.manual_seed(0)
    loc, prior_loc = torch.randn(2, 50).double()
    std, prior_std = torch.rand(2, 50).double() + 0.1
    expected = torchs_kl(Normal(loc, std), Normal(prior_loc, prior_std))
    assert_close(kl_divergence(loc, std, prior_loc, prior_std), expected)


def test_the_likelihood_of_images_under_slots() -> None:
    torch.manual_seed(0)
    frames, means = torch.rand(2, 3, 4, 5).double(), torch.rand(2, 6, 3, 4, 5).double()
    log_masks = torch.randn(2, 6, 1, 4, 5).double().log_softmax(1)
    log_std = torch.linspace(-2.0, 0.5, 6).double()
    slots = log_masks.expand_as(means).movedim(1, -1)
    mixture = MixtureSameFamily(
        Categorical(logits=slots), Normal(means.movedim(1, -1), log_std.exp())
    )
    expected = -(Independent(mixture, 3).log_prob(frames) + _CONSTANT * 60)
    assert_close(mixture_nll(frames, means, log_masks, log_std), expected)


def test_the_likelihood_of_images_under_one_gaussian() -> None:
    torch.manual_seed(0)
    frames, means = torch.rand(2, 2, 3, 4, 5).double()
    expected = -(Independent(Normal(means, math.exp(-1.2)), 3).log_prob(frames) + _CONSTANT * 60)
    assert_close(gaussian_nll(frames, means, -1.2), expected)
