"""Convolutions between an image and a small grid: the encoder and the decoder of whole scenes."""

from __future__ import annotations

from torch import nn

from armillary.errors import ArmillaryError


def shrinking(image_size: int, side: int, channels: int) -> tuple[nn.Sequential, int]:
    """Halves an image until ``side`` is left, by strided convolutions (PlaNet, 1811.04551, app. A).

    Each is normalised over channels and places and goes through SiLU, as in DreamerV3 (2301.04104):
    without it, training stays at the mean image for hundreds of steps.

    Args:
        image_size: H = W, ``side`` times a power of two.
        side: h = w of the grid.
        channels: of the first convolution; each of the next has twice as many.

    Returns:
        (N, 3, H, W) -> (N, top, h, w), and top.

    Raises:
        ArmillaryError: the image cannot be halved to the grid.
    """
    layers: list[nn.Module] = []
    inputs, outputs = 3, channels
    for _ in range(_halvings(image_size, side)):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, padding=1), *_normed(outputs)]
        inputs, outputs = outputs, 2 * outputs
    return nn.Sequential(*layers), inputs


def growing(image_size: int, side: int, channels: int) -> tuple[nn.Sequential, int]:
    """The way back by transposed convolutions: (N, top, h, w) -> (N, 3, H, W) in [0, 1], and top.

    The arguments and errors are those of ``shrinking``.
    """
    layers: list[nn.Module] = []
    inputs, outputs = channels, 3
    for _ in range(_halvings(image_size, side)):
        growth = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1)
        layers = [*_normed(inputs), growth, *layers]
        inputs, outputs = 2 * inputs, inputs
    return nn.Sequential(*layers, nn.Sigmoid()), outputs


def _normed(channels: int) -> list[nn.Module]:
    return [nn.GroupNorm(1, channels), nn.SiLU()]


def _halvings(image_size: int, side: int) -> int:
    count = (image_size // max(side, 1)).bit_length() - 1
    if side < 1 or count < 1 or image_size != side * 2**count:
        raise ArmillaryError(
            f"image_size must be {side} times 2, 4, 8, ...: it is halved until {side} x {side} are "
            f"left; got {image_size}"
        )
    return count
