"""Plain formulations that the package's faster ones are equal to and compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armillary.world_models.blocks.gated_encoder import GatedEncoder


class PlainBroadcastDecoder(nn.Module):
    """Tiles the latent, appends the coordinates and convolves (Watters et al. 2019).

    Parameters and output are those of ``SpatialBroadcastDecoder``.

    Args:
        input_size: Z.
        image_size: H = W.
        channels: width of the convolutions.
        outputs: channels of the output.
    """

    def __init__(
        self, input_size: int, image_size: int, channels: int = 32, outputs: int = 4
    ) -> None:
        super().__init__()
        self.side = image_size + 8
        self.decode = nn.Sequential(
            nn.Conv2d(input_size + 2, channels, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(channels, channels, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(channels, channels, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(channels, channels, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(channels, outputs, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """z (N, Z) -> (N, outputs, H, W)."""
        axis = torch.linspace(-1.0, 1.0, self.side, dtype=z.dtype, device=z.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))
        tiled = z[:, :, None, None].expand(-1, -1, self.side, self.side)
        return self.decode(torch.cat([tiled, grid.expand(len(z), -1, -1, -1)], 1))


class PlainGatedEncoder(GatedEncoder):
    """Convolves twice, normalises and gates, all frames at once, in evaluation as in training."""

    def forward(self, frames: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> (N, features)."""
        return self.project(self.layers(frames))
