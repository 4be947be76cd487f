"""The gated convolutional encoder of the published VRNN."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_CHANNELS = (32, 32, 64, 64, 64)
_STRIDES = (1, 2, 1, 2, 1)


class GatedConvolution(nn.Module):
    """``BN(conv(x)) * sigmoid(BN(conv(x)))``, 5x5 (van den Oord et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, outputs, 5, stride, padding=2)
        self.gate = nn.Conv2d(inputs, outputs, 5, stride, padding=2)
        self.linear_norm = nn.BatchNorm2d(outputs)
        self.gate_norm = nn.BatchNorm2d(outputs)

    def forward(self, image: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        return self.linear_norm(self.linear(image)) * torch.sigmoid(
            self.gate_norm(self.gate(image))
        )


class GatedEncoder(nn.Module):
    """Five gated convolutions and a linear layer: a frame as a vector.

    Args:
        image_size: H = W.
        features: width of the vector.
        image_channels: C.
    """

    def __init__(self, image_size: int, features: int, image_channels: int = 3) -> None:
        super().__init__()
        inputs = (image_channels, *_CHANNELS[:-1])
        self.layers = nn.Sequential(
            *(GatedConvolution(*sizes) for sizes in zip(inputs, _CHANNELS, _STRIDES, strict=True))
        )
        side = math.ceil(math.ceil(image_size / 2) / 2)
        self.project = nn.Sequential(
            nn.Flatten(), nn.Linear(_CHANNELS[-1] * side * side, features), nn.ELU()
        )

    def forward(self, frames: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> (N, features)."""
        return self.project(self.layers(frames))
