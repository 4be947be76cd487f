"""The gated convolutional encoder of the published VRNN."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from armillary.world_models.blocks.broadcast_decoder import chunks

_CHANNELS = (32, 32, 64, 64, 64)
_STRIDES = (1, 2, 1, 2, 1)
_CHUNK, _WIDER = 16, 512
"""Frames at a time: what a CPU's cache holds, and what bounds an accelerator's memory."""


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
        gate = torch.sigmoid(self.gate_norm(self.gate(image)))
        return self.linear_norm(self.linear(image)) * gate


def _in_one(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """What a ``GatedConvolution`` does in evaluation, in one convolution.

    BatchNorm is a factor and a shift of every channel then: the convolutions' own.
    """
    assert isinstance(layer, GatedConvolution)
    folded = (_fold(layer.linear, layer.linear_norm), _fold(layer.gate, layer.gate_norm))
    weight, bias = (torch.cat(pair) for pair in zip(*folded, strict=True))
    stride, padding = layer.linear.stride, layer.linear.padding
    return lambda image: F.glu(F.conv2d(image, weight, bias, stride, padding), 1)


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the BatchNorm after it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert convolution.bias is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = (convolution.bias - norm.running_mean) * factor + norm.bias
    return convolution.weight * factor.view(-1, 1, 1, 1), bias


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
        if self.training:
            return self.project(self.layers(frames))
        layers = [_in_one(layer) for layer in self.layers]
        count = _CHUNK if frames.device.type == "cpu" else _WIDER
        images = [reduce(lambda x, layer: layer(x), layers, part) for part in chunks(frames, count)]
        return self.project(torch.cat(images))
