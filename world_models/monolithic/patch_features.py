"""What turns a frame into features of its patches: convolutions that are trained."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from armillary.world_models.monolithic.convolutions import shrinking


class ConvolutionalPatches(nn.Module):
    """Convolutions whose features have mean 0 and variance 1 in every patch, as DINOv2's nearly do.

    Args:
        image_size: H = W.
        grid: patches along a side, P = grid^2.
        channels: of the first convolution.
        feature_size: E.
    """

    frozen = False

    def __init__(self, image_size: int, grid: int, channels: int, feature_size: int) -> None:
        super().__init__()
        self.feature_size = feature_size
        seeing, top = shrinking(image_size, grid, channels)
        self.layers = nn.Sequential(seeing, nn.Conv2d(top, feature_size, 3, padding=1))

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, P, E)."""
        patches = self.layers(frames).flatten(2).transpose(1, 2)
        return F.layer_norm(patches, patches.shape[-1:])

    def check(self) -> None:
        """Nothing is missing."""
