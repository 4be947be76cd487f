"""How alike two images are: PSNR and SSIM."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.metrics.pairs import check_images, compare
from armillary.world_models.metrics.similarity import WINDOW, Similarity

REFERENCE_RANGE = 2.0
"""The data range of the numbers published for the towel-pick data, whose images lie in [0, 1]."""


def psnr(pred: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(1 / mse) with the error averaged over C, H and W.

    Args:
        pred: (..., C, H, W) floating point in [0, 1].
        target: the same shape, or 1 in leading dimensions over which it is shared.

    Returns:
        (...) in dB, higher is better; inf for identical images, NaN where a value is NaN.

    Raises:
        ArmillaryError: the shapes do not fit, or the images are not floating point in [0, 1].
    """
    check_images(pred, target, data_range=1.0)
    return compare(pred, target, _signal_to_noise)[0]


def ssim(pred: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Structural similarity (Wang et al., 2004), mean over pixels, then over channels.

    Local moments weigh an 11 x 11 neighbourhood with a Gaussian of sigma 1.5 and are scaled by
    121 / 120 (sample covariance); only neighbourhoods inside the image count. The numbers are those
    of scikit-image with ``gaussian_weights`` and ``use_sample_covariance``.

    Args:
        pred: (..., C, H, W), H and W at least 11.
        target: the same shape, or 1 in leading dimensions over which it is shared: its statistics
            are computed once, so (V, S, T, C, H, W) against (V, 1, T, C, H, W) is faster.
        data_range: difference between the largest and the smallest value that a pixel may have.

    Returns:
        (...) in [-1, 1], higher is better; NaN where a value is NaN.

    Raises:
        ArmillaryError: the shapes do not fit, the images are smaller than the window, or they are
            not floating point within the range.
    """
    return similarities(pred, target, (data_range,))[0]


def ssim_ref(pred: Tensor, target: Tensor) -> Tensor:
    """SSIM as the numbers published for the towel-pick data were measured: data range 2.

    It is higher than ``ssim`` of the same images, which must lie in [0, 1] as there.
    """
    return ssim(pred, target, REFERENCE_RANGE)


def similarities(pred: Tensor, target: Tensor, data_ranges: Sequence[float]) -> Tensor:
    """``ssim`` for R data ranges at little more than the cost of one: (R, ...)."""
    if not data_ranges or min(data_ranges) <= 0:
        raise ArmillaryError(f"data ranges must be positive, got {list(data_ranges)}")
    check_images(pred, target, data_range=min(data_ranges))
    if min(pred.shape[-2:]) < WINDOW:
        raise ArmillaryError(
            f"images must be at least {WINDOW} pixels wide and high, got {tuple(pred.shape)}"
        )
    return compare(pred, target, Similarity(data_ranges), values=1 << 21, threaded=True)


def _signal_to_noise(pred: Tensor, target: Tensor) -> Tensor:
    """(U, S, C, H, W) and (U, C, H, W) -> (1, U, S)."""
    exact = torch.promote_types(pred.dtype, torch.float32)
    squares = (pred.to(exact) - target.to(exact).unsqueeze(1)).square_().flatten(2)
    return -10.0 * torch.log10(squares.mean(-1)).unsqueeze(0)
