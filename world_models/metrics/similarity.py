"""The SSIM of many images against few targets: separable filters as products of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from world_models.metrics.precision import double

SIGMA = 1.5
TRUNCATE = 3.5
RADIUS = int(TRUNCATE * SIGMA + 0.5)
WINDOW = 2 * RADIUS + 1
K1, K2 = 0.01, 0.03
UNBIAS = WINDOW**2 / (WINDOW**2 - 1)
"""From moments to sample covariances."""
_BLOCK = 14
"""Rows filtered by one product: small enough to pass over few zeros of the band matrix."""
_SINGLE_ERROR = 1.5e-7
"""Error of the SSIM in single precision, as a multiple of the mean over pixels of the local squares
over the denominator. At most 1.2e-7 was found, among smooth, flat, random and two-valued images."""
_LARGEST_ERROR = 5e-6
"""Error of the SSIM of an image above which it is computed again in double precision."""


class Similarity:
    """Computes the SSIM of S images with each of U targets, whose own moments are computed once.

    A variance is a difference of nearly equal numbers, and the smallest constant beside it is 9e-4.
    So values count from the target's mean, and on the CPU, where single precision is twice as fast,
    the images whose rounding errors could still add up are computed again in double precision.
    Memory is allocated by the first call and used again by the others.

    Args:
        data_ranges: R of them, see ``ssim``.
    """

    def __init__(self, data_ranges: Sequence[float]) -> None:
        self._ranges = data_ranges
        self._memory: dict[str, Tensor] = {}

    def __call__(self, pred: Tensor, target: Tensor) -> Tensor:
        """(U, S, C, H, W) and (U, C, H, W) -> (R, U, S) float64."""
        exact = torch.promote_types(pred.dtype, target.dtype) == torch.float64
        # A lower setting lets products of matrices round to 10 bits.
        plain = torch.get_float32_matmul_precision() == "highest"
        if exact or not plain or pred.device.type != "cpu":
            return self._measure(double(pred), double(target))[0]
        found, error = self._measure(pred.float(), target.float())
        groups, members = (error > _LARGEST_ERROR).nonzero(as_tuple=True)
        if len(groups):
            doubtful = pred[groups, members].unsqueeze(1).double()
            again, _ = self._measure(doubtful, target[groups].double())
            found[:, groups, members] = again[..., 0]
        return found

    def _measure(self, pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(R, U, S) float64, and (U, S) how much rounding in single precision may change it."""
        groups, members, channels, height, width = pred.shape
        target = target.unsqueeze(2)
        center = target.mean((-1, -2), keepdim=True)
        y = target - center
        x = self._buffer("x", (groups, channels, members, height, width), y)
        torch.sub(pred.transpose(1, 2), center, out=x)
        center = center.squeeze(-1).squeeze(-1)
        product = torch.mul(x, y, out=self._buffer("product", x.shape, y))
        mean_y, square_y = self._filter(y, "mean_y"), self._filter(y * y, "square_y")
        mean_x = self._filter(x, "mean_x")
        covariance = self._filter(product, "covariance").addcmul_(mean_x, mean_y, value=-1)
        squares = self._filter(x.square_(), "squares").add_(square_y)
        variances = self._buffer("variances", mean_x.shape, y)
        torch.addcmul(squares, mean_x, mean_x, value=-1, out=variances).sub_(mean_y.square())
        mean_x.add_(center)
        mean_y.add_(center)
        luminance = torch.mul(mean_x, mean_y, out=self._buffer("luminance", mean_x.shape, y))
        energy = mean_x.square_().add_(mean_y.square_())
        above, below = (self._buffer(name, mean_x.shape, y) for name in ("above", "below"))
        found = []
        for data_range in self._ranges:
            # The factors 2 and that of sample covariances are taken out of both fractions.
            c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2 / UNBIAS
            torch.add(covariance, c2 / 2, out=above).div_(torch.add(variances, c2, out=below))
            above.mul_(torch.add(luminance, c1 / 2, out=below))
            above.div_(torch.add(energy, c1, out=below))
            found.append(4.0 * above.mean(0).mean(1, dtype=torch.float64))
        squares.div_(variances.add_((K2 * min(self._ranges)) ** 2 / UNBIAS))
        return torch.stack(found), squares.mean(0).amax(1) * _SINGLE_ERROR

    def _filter(self, images: Tensor, name: str) -> Tensor:
        """Local means of (..., H, W): (P, ...) for the P pixels inside, columns first.

        Each pass moves the dimension that it filters to the front, so that both are products with
        a large matrix as it lies, and what follows runs over the images.
        """
        passed = self._pass(images, "first")
        return self._pass(passed, name).flatten(0, 1)

    def _pass(self, images: Tensor, name: str) -> Tensor:
        """Filters the last dimension: (..., L) -> (L - 10, ...)."""
        lines = images.view(-1, images.shape[-1])
        count = images.shape[-1] - 2 * RADIUS
        found = self._buffer(name, (count, len(lines)), images)
        for start in range(0, count, _BLOCK):
            band = _band(min(_BLOCK, count - start), images.dtype, images.device)
            part = lines[:, start : start + band.shape[1]]
            torch.mm(band, part.T, out=found[start : start + len(band)])
        return found.view(count, *images.shape[:-1])

    def _buffer(self, name: str, shape: Sequence[int], like: Tensor) -> Tensor:
        """Uninitialised memory, the same for the same name."""
        size = math.prod(shape)
        key = f"{name} {like.dtype}"
        if key not in self._memory or len(self._memory[key]) < size:
            self._memory[key] = like.new_empty(size)
        return self._memory[key][:size].view(*shape)


@lru_cache(maxsize=16)
def _band(count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(count, count + 10): row i averages the entries i .. i + 10 with Gaussian weights."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / SIGMA).square())
    matrix = torch.zeros(count, count + 2 * RADIUS, dtype=torch.float64)
    columns = torch.arange(count).unsqueeze(1) + torch.arange(WINDOW)
    matrix.scatter_(1, columns, (weights / weights.sum()).expand(count, -1))
    return matrix.to(device, dtype)
