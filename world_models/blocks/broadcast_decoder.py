"""The spatial broadcast decoder of the published models (Watters et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpatialBroadcastDecoder(nn.Module):
    """Tiles a vector over an image, appends coordinates and convolves.

    Args:
        input_size: width of the vector.
        image_size: H = W.
        channels: width of the convolutions.
        outputs: channels of the result.
    """

    def __init__(
        self, input_size: int, image_size: int, channels: int = 32, outputs: int = 4
    ) -> None:
        super().__init__()
        self.side = image_size + 8
        c = channels
        self.decode = nn.Sequential(
            nn.Conv2d(input_size + 2, c, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(c, c, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(c, c, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(c, c, 5, padding=1),
            nn.ELU(),
            nn.Conv2d(c, outputs, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """(N, input_size) -> (N, outputs, H, W), raw."""
        grid = torch.linspace(-1, 1, self.side, dtype=z.dtype, device=z.device)
        y, x = torch.meshgrid(grid, grid, indexing="ij")
        tiled = z[:, :, None, None].expand(-1, -1, self.side, self.side)
        return self.decode(torch.cat([tiled, torch.stack([x, y]).expand(len(z), -1, -1, -1)], 1))
