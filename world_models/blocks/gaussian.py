"""Diagonal Gaussians and the mixture likelihood of the published models."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def to_std(raw: Tensor) -> Tensor:
    """Standard deviation ``sqrt(log(1 + exp(min(raw, 80))) + 1e-5)`` of a raw parameter."""
    return (F.softplus(raw.clamp(max=80.0), threshold=80.0) + 1e-5).sqrt()


def kl_divergence(loc: Tensor, std: Tensor, prior_loc: Tensor, prior_std: Tensor) -> Tensor:
    """KL(N(loc, std) || N(prior_loc, prior_std)) of every element, in nats."""
    ratio = (std / prior_std).square()
    shift = ((loc - prior_loc) / prior_std).square()
    return 0.5 * (ratio + shift - 1.0 - ratio.log())


def mixture_nll(frames: Tensor, means: Tensor, log_masks: Tensor, log_std: Tensor) -> Tensor:
    """Negative log-likelihood of images under slots' components, per pixel and channel.

    Every slot k explains a pixel with probability m_k by N(mu_k, std_k) (Greff et al. 2019, eq. 1);
    as in the published models, without the constant log(2 pi) / 2, on which their targets depend.

    Args:
        frames: (N, C, H, W).
        means: (N, K, C, H, W), mu.
        log_masks: (N, K, 1, H, W), log m, whose exponentials sum to one over K.
        log_std: (K,).

    Returns:
        (N,) summed over pixels and channels.
    """
    log_std = log_std.view(-1, 1, 1, 1)
    scaled = (frames.unsqueeze(1) - means) * torch.exp(-log_std)
    return -(log_masks - log_std - 0.5 * scaled.square()).logsumexp(1).sum((-1, -2, -3))


def gaussian_nll(frames: Tensor, means: Tensor, log_std: float) -> Tensor:
    """Negative log-likelihood (N,) of images (N, C, H, W), without the constant log(2 pi) / 2."""
    scaled = (frames - means) * math.exp(-log_std)
    return (0.5 * scaled.square() + log_std).sum((-1, -2, -3))
