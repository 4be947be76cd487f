"""How alike two images are: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor

from world_models.metrics.precision import double

SIGMA = 1.5
TRUNCATE = 3.5
RADIUS = int(TRUNCATE * SIGMA + 0.5)
WINDOW = 2 * RADIUS + 1
K1, K2 = 0.01, 0.03


def psnr(pred: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(1 / mse) with the error averaged over C, H and W.

    Args:
        pred: (..., C, H, W) in [0, 1].
        target: (..., C, H, W) in [0, 1].

    Returns:
        (...) in dB, higher is better; inf for identical images.

    Raises:
        ValueError: the shapes differ.
    """
    _check_images(pred, target)
    return -10.0 * torch.log10((pred - target).square().mean((-1, -2, -3)))


def ssim(pred: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Structural similarity (Wang et al., 2004), mean over pixels, then over channels.

    Local moments weigh an 11 x 11 neighbourhood with a Gaussian of sigma 1.5 and are scaled by
    121 / 120 (sample covariance); only neighbourhoods inside the image count. The numbers are those
    of scikit-image with ``gaussian_weights`` and ``use_sample_covariance``.

    Args:
        pred: (..., C, H, W), H and W at least 11.
        target: (..., C, H, W).
        data_range: difference between the largest and the smallest value that a pixel may have.
            2 gives the numbers published for the towel-pick data, whose images lie in [0, 1].

    Returns:
        (...) in [-1, 1], higher is better.

    Raises:
        ValueError: the shapes differ, or the images are smaller than the window.
    """
    _check_images(pred, target)
    height, width = pred.shape[-2:]
    if min(height, width) < WINDOW:
        raise ValueError(f"images must be at least {WINDOW} pixels wide and high, got {pred.shape}")
    # Variances are differences of nearly equal numbers, and the smallest constant is 9e-4.
    x, y = double(pred), double(target)
    rows, columns = _gaussian(height, x.device), _gaussian(width, x.device)

    def local_mean(image: Tensor) -> Tensor:
        return rows @ image @ columns.T

    mean_x, mean_y = local_mean(x), local_mean(y)
    unbias = WINDOW**2 / (WINDOW**2 - 1)
    variance_x = unbias * (local_mean(x * x) - mean_x * mean_x)
    variance_y = unbias * (local_mean(y * y) - mean_y * mean_y)
    covariance = unbias * (local_mean(x * y) - mean_x * mean_y)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x.square() + mean_y.square() + c1) * (variance_x + variance_y + c2)
    )
    return similarity.mean((-1, -2)).mean(-1).to(pred)


def _gaussian(size: int, device: torch.device) -> Tensor:
    """(size - 10, size): row i averages the entries i .. i + 10 with Gaussian weights.

    A matrix product with it filters a small image faster than a convolution, in any precision.
    """
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64, device=device)
    weights = torch.exp(-0.5 * (offsets / SIGMA).square())
    count = size - 2 * RADIUS
    matrix = torch.zeros(count, size, dtype=torch.float64, device=device)
    columns = torch.arange(count, device=device).unsqueeze(1) + torch.arange(WINDOW, device=device)
    return matrix.scatter_(1, columns, (weights / weights.sum()).expand(count, -1))


def _check_images(pred: Tensor, target: Tensor) -> None:
    if pred.shape != target.shape or pred.ndim < 3:
        raise ValueError(
            "pred and target must both be (..., C, H, W), "
            f"got {tuple(pred.shape)} and {tuple(target.shape)}"
        )
    if not (pred.is_floating_point() and target.is_floating_point()):
        raise ValueError(
            f"images must be floating point in [0, 1], got {pred.dtype} and {target.dtype}"
        )
