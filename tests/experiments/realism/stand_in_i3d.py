"""Small TorchScript networks: one that is called as I3D is, and ones that are not I3D."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_FRAMES, FEATURES = 9, 40


class StandIn(nn.Module):
    """Like I3D it halves time three times and then needs two steps: at least 9 frames."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("weights", torch.randn(3 * 2 * 16, FEATURES, generator=generator))

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        if rescale:
            x = 2.0 * x / 255.0 - 1.0
        if resize:
            x = F.interpolate(x, size=[x.shape[2], 8, 8], mode="trilinear")
        for _ in range(3):
            x = F.max_pool3d(x, [2, 1, 1], stride=[2, 1, 1], ceil_mode=True)
        x = torch.cat([x[:, :, 0], F.avg_pool3d(x, [2, 1, 1], stride=[1, 1, 1])[:, :, 0]], 1)
        features = F.adaptive_avg_pool2d(x, [4, 4]).flatten(1) @ self.weights
        return features if return_features else features.softmax(1)


class WithoutOptions(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class WithoutForward(nn.Module):
    @torch.jit.export
    def other(self, x: Tensor) -> Tensor:
        return x


class NotPerVideo(nn.Module):
    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        return x


class AlwaysFails(nn.Module):
    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        if x.shape[1] == 3:
            raise ValueError("one channel is enough")
        return x


class ReturnsNaN(nn.Module):
    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        return x.mean([2, 3, 4]) / torch.zeros(1)


def save(network: nn.Module, path: Path) -> Path:
    """Writes a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network).save(str(path))
    return path
