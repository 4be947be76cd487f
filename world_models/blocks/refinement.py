"""The refinement network of iterative amortised inference (Greff et al. 2019, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_POOL = 4


@dataclass(frozen=True)
class Evidence:
    """What a posterior explains of a frame and how its loss would fall; N frames, K slots.

    Attributes:
        frame: (N, C, H, W).
        means: (N, K, C, H, W) the components.
        masks: (N, K, 1, H, W) probabilities.
        posterior: (N, K, 2 Z) location and raw scale.
        means_gradient: like ``means``.
        log_masks_gradient: like ``masks``.
        posterior_gradient: like ``posterior``.
    """

    frame: Tensor
    means: Tensor
    masks: Tensor
    posterior: Tensor
    means_gradient: Tensor
    log_masks_gradient: Tensor
    posterior_gradient: Tensor


class RefinementNetwork(nn.Module):
    """Turns evidence into an additive update of each slot's posterior, with an LSTM over rounds.

    Args:
        latent_size: Z.
        image_size: H = W, a multiple of 4.
        channels: width of the convolutions.
        hidden: width of the LSTM.
        image_channels: C.
    """

    def __init__(
        self,
        latent_size: int,
        image_size: int,
        channels: int,
        hidden: int,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        inputs = 3 * image_channels + 4
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, channels, 5, padding=2),
            nn.ELU(inplace=True),
            nn.Conv2d(channels, channels, 5, padding=2),
            nn.ELU(inplace=True),
            nn.Conv2d(channels, channels, 5, padding=2),
            nn.ELU(inplace=True),
            nn.AvgPool2d(_POOL),
            nn.Flatten(),
            nn.Linear(channels * (image_size // _POOL) ** 2, hidden),
            nn.ELU(),
        )
        self.project = nn.Linear(hidden + 4 * latent_size, hidden)
        self.lstm = nn.LSTMCell(hidden, hidden)
        self.loc = nn.Linear(hidden, latent_size)
        self.scale = nn.Linear(hidden, latent_size)

    def forward(
        self, evidence: Evidence, memory: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One round.

        Args:
            evidence: gradients are normalised here and carry no gradient themselves.
            memory: the LSTM's state, two tensors (N K, hidden); see ``start``.

        Returns:
            The update (N, K, 2 Z) of the posterior and the next state.
        """
        count, slots = evidence.means.shape[:2]
        frame = evidence.frame.unsqueeze(1).expand(-1, slots, -1, -1, -1)
        image = [
            frame,
            evidence.means,
            evidence.masks,
            _normalise(evidence.means_gradient, 3),
            _normalise(evidence.log_masks_gradient, 3),
            _grid(evidence.frame).expand(count, slots, -1, -1, -1),
        ]
        gradients = [_normalise(half, 1) for half in evidence.posterior_gradient.chunk(2, -1)]
        vector = torch.cat([evidence.posterior, *gradients], -1).flatten(0, 1)
        features = self.conv(torch.cat(image, 2).flatten(0, 1))
        projected = F.elu(self.project(torch.cat([features, vector], -1)))
        memory = self.lstm(projected, memory)
        update = torch.cat([self.loc(memory[0]), self.scale(memory[0])], -1)
        return update.unflatten(0, (count, slots)), memory

    def start(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The LSTM's state before the first round, for posteriors ``like`` (N, K, 2 Z)."""
        zeros = like.new_zeros(like.shape[0] * like.shape[1], self.hidden)
        return zeros, zeros


def _grid(like: Tensor) -> Tensor:
    """(2, H, W): x, then y, from -1 to 1."""
    height, width = like.shape[-2:]
    rows = torch.linspace(-1.0, 1.0, height, dtype=like.dtype, device=like.device)
    columns = torch.linspace(-1.0, 1.0, width, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"))


def _normalise(gradient: Tensor, dims: int) -> Tensor:
    return F.layer_norm(gradient.detach(), gradient.shape[-dims:])
