"""Iterative amortised inference: a posterior refined round by round (Marino et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.world_models.blocks.gaussian import kl_divergence, to_std
from armillary.world_models.blocks.noise import Noise
from armillary.world_models.blocks.refinement import Evidence, RefinementNetwork

Explain = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""Latents (N, K, Z) -> components, masks' logarithms, and (N,) the frames' negative
log-likelihood."""


@dataclass(frozen=True)
class Start:
    """Where inference starts and what it is compared with; N frames, K slots.

    Attributes:
        posterior: (N, K, 2 Z) location and raw scale.
        prior_loc: (N, K, Z).
        prior_std: (N, K, Z).
    """

    posterior: Tensor
    prior_loc: Tensor
    prior_std: Tensor


@dataclass(frozen=True)
class Discovery:
    """What the last round found.

    Attributes:
        latents: (N, K, Z) a sample of the posterior.
        means: (N, K, C, H, W) components.
        log_masks: (N, K, 1, H, W).
        posterior: (N, K, 2 Z).
        losses: of every round, the negative log-likelihood and the KL divergence, (N,) each.
    """

    latents: Tensor
    means: Tensor
    log_masks: Tensor
    posterior: Tensor
    losses: Sequence[tuple[Tensor, Tensor]]


def discover(
    network: RefinementNetwork,
    explain: Explain,
    frame: Tensor,
    start: Start,
    rounds: int,
    *,
    weight: Tensor,
    kl_beta: float,
    noise: Noise,
) -> Discovery:
    """Samples, explains, and refines the posterior by the gradients of its loss; ``rounds`` times.

    The loss is each clip's own, so that a belief does not depend on the batch. Its gradients are
    inputs of the network and carry none; everything else does. Without an outer gradient each round
    forgets the graph of the one before.

    Args:
        network: makes the updates.
        explain: decodes latents and compares them with the frames.
        frame: (N, C, H, W).
        start: the first posterior, and the prior.
        rounds: >= 1; all but the last are followed by an update.
        weight: () of the negative log-likelihood in the loss.
        kl_beta: of the KL divergence.
        noise: of the samples.
    """
    training = torch.is_grad_enabled()
    posterior, memory = start.posterior, network.start(start.posterior)
    losses: list[tuple[Tensor, Tensor]] = []
    while True:
        with torch.enable_grad():
            if not posterior.requires_grad:
                posterior = posterior.detach().requires_grad_()
            loc, scale = posterior.chunk(2, -1)
            std = to_std(scale)
            latents = loc + std * noise.latent(tuple(loc.shape), loc)
            means, log_masks, nll = explain(latents)
            kl = kl_divergence(loc, std, start.prior_loc, start.prior_std).sum((-1, -2))
            losses.append((nll, kl))
            if len(losses) == rounds:
                return Discovery(latents, means, log_masks, posterior, losses)
            loss = (weight * nll + kl_beta * kl).sum()
            gradients = _gradients(loss, [means, log_masks, posterior], training)
        evidence = Evidence(frame, means, log_masks.exp(), posterior, *gradients)
        update, memory = network(evidence, memory)
        posterior = posterior + update


@torch.compiler.disable(recursive=True)  # torch.compile cannot trace a gradient inside a loss
def _gradients(loss: Tensor, inputs: list[Tensor], retain_graph: bool) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, inputs, retain_graph=retain_graph)
