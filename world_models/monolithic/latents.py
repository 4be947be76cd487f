"""Stochastic latents of a recurrent state-space model: Gaussian or categorical."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from armillary.world_models.blocks.gaussian import kl_divergence, to_std

_UNIFORM = 0.01
"""Share of the uniform distribution in every categorical (DreamerV3, 2301.04104)."""


class Latents(Protocol):
    """A family of distributions of latents.

    Attributes:
        size: Z, numbers of a latent.
        parameters: numbers that say which distribution it is.
        noise_shape: of the standard-normal noise that a draw takes.
    """

    size: int
    parameters: int
    noise_shape: tuple[int, ...]

    def draw(self, raw: Tensor, noise: Tensor | None) -> Tensor:
        """(N, parameters) -> a latent (N, Z); without noise the mean, or what is most likely."""
        ...

    def divergence(self, raw: Tensor, prior: Tensor) -> Tensor:
        """KL from one distribution (..., parameters) to another, (...) in nats."""
        ...


class GaussianLatents:
    """Diagonal Gaussians (PlaNet, 1811.04551; Dreamer, 1912.01603).

    Args:
        size: Z.
    """

    def __init__(self, size: int) -> None:
        self.size, self.parameters, self.noise_shape = size, 2 * size, (size,)

    def draw(self, raw: Tensor, noise: Tensor | None) -> Tensor:
        """See ``Latents``."""
        loc, scale = raw.chunk(2, -1)
        return loc if noise is None else loc + to_std(scale) * noise

    def divergence(self, raw: Tensor, prior: Tensor) -> Tensor:
        """See ``Latents``."""
        (loc, scale), (prior_loc, prior_scale) = raw.chunk(2, -1), prior.chunk(2, -1)
        return kl_divergence(loc, to_std(scale), prior_loc, to_std(prior_scale)).sum(-1)


class CategoricalLatents:
    """Groups of one-hot vectors with straight-through gradients (DreamerV2, 2010.02193, alg. 1).

    Normal noise is turned into Gumbel noise, so that the largest of logits and noise is a sample.

    Args:
        groups: how many vectors.
        classes: of each.
    """

    def __init__(self, groups: int, classes: int) -> None:
        self.size = self.parameters = groups * classes
        self.noise_shape = (groups, classes)

    def draw(self, raw: Tensor, noise: Tensor | None) -> Tensor:
        """See ``Latents``."""
        log_shares = self._log_shares(raw)
        scores = log_shares
        if noise is not None:
            uniform = torch.special.ndtr(noise).clamp(1e-6, 1.0 - 1e-6)
            scores = scores - (-uniform.log()).log()
        classes = torch.arange(scores.shape[-1], device=scores.device)
        chosen = (scores.argmax(-1, keepdim=True) == classes).to(log_shares.dtype)
        shares = log_shares.exp()
        return (chosen + shares - shares.detach()).flatten(-2)

    def divergence(self, raw: Tensor, prior: Tensor) -> Tensor:
        """See ``Latents``."""
        log_shares, log_prior = self._log_shares(raw), self._log_shares(prior)
        return (log_shares.exp() * (log_shares - log_prior)).sum((-1, -2))

    def _log_shares(self, raw: Tensor) -> Tensor:
        """(..., groups, classes)."""
        shares = raw.float().unflatten(-1, self.noise_shape).log_softmax(-1)
        uniform = torch.full_like(shares, math.log(_UNIFORM / self.noise_shape[1]))
        return torch.logaddexp(shares + math.log1p(-_UNIFORM), uniform)
