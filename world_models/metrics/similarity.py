"""The SSIM of many images against few targets, each of which has its own moments computed once."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.world_models.metrics.precision import double

SIGMA = 1.5
TRUNCATE = 3.5
RADIUS = int(TRUNCATE * SIGMA + 0.5)
WINDOW = 2 * RADIUS + 1
K1, K2 = 0.01, 0.03
UNBIAS = WINDOW**2 / (WINDOW**2 - 1)
"""From moments to sample covariances."""
_BLOCK = 14
"""Rows that one product makes."""
_VALUES_AT_ONCE = 1 << 17
"""As many as a core's cache holds."""
_SINGLE_ERROR = 1.5e-7
"""Error of the SSIM in single precision, as a multiple of the mean over pixels of the local squares
over the denominator. At most 1.2e-7 was found, among smooth, flat, random and two-valued images."""
_SPARSE = 8
"""Of the pixels of which the error is estimated: local means hardly differ between neighbours."""
_LARGEST_ERROR = 5e-6
"""Error of the SSIM of an image above which it is computed again in double precision."""

Array = NDArray[np.float32]


class Similarity:
    """Computes the SSIM of S images with each of U targets.

    With m_x and m_y for local means, and the factors 2 and that of sample covariances taken out,
    SSIM / 4 = (m_x m_y + c1 / 2) (cov + c2 / 2) / ((m_x^2 + m_y^2 + c1) (var_x + var_y + c2)).

    A variance is a difference of nearly equal numbers, and the smallest constant beside it is 9e-4.
    So values count from the target's mean, and on the CPU, where single precision is much faster,
    the images whose rounding errors could still add up are computed again in double precision.

    Args:
        data_ranges: R of them, see ``ssim``.
    """

    def __init__(self, data_ranges: Sequence[float]) -> None:
        self._constants = [((K1 * r) ** 2, (K2 * r) ** 2 / UNBIAS) for r in data_ranges]
        self._memory = threading.local()

    def __call__(self, pred: Tensor, target: Tensor) -> Tensor:
        """(U, S, C, H, W) and (U, C, H, W) -> (R, U, S) float64."""
        exact = torch.promote_types(pred.dtype, target.dtype) == torch.float64
        if exact or pred.device.type != "cpu":
            return self._in_double(double(pred), double(target))
        found, error = self._in_single(pred.float().numpy(), target.float().numpy())
        groups, members = (torch.from_numpy(at) for at in (error > _LARGEST_ERROR).nonzero())
        result = torch.from_numpy(found)
        if len(groups):
            doubtful = pred[groups, members].unsqueeze(1).double()
            again = self._in_double(doubtful, target[groups].double())
            result[:, groups, members] = again[..., 0]
        return result

    def _in_double(self, pred: Tensor, target: Tensor) -> Tensor:
        """On any device."""
        rows, columns = (torch.from_numpy(_band(n)).to(pred) for n in pred.shape[-2:])

        def filtered(images: Tensor) -> Tensor:
            return rows @ (images @ columns.T)

        target = target.unsqueeze(1)
        center = target.mean((-1, -2), keepdim=True)
        x, y = pred - center, target - center
        mean_x, mean_y = filtered(x), filtered(y)
        covariance = filtered(x * y) - mean_x * mean_y
        variances = filtered(x * x) + filtered(y * y) - mean_x.square() - mean_y.square()
        mean_x, mean_y = mean_x + center, mean_y + center
        product, energy = mean_x * mean_y, mean_x.square() + mean_y.square()
        found = [
            (product + c1 / 2) * (covariance + c2 / 2) / ((energy + c1) * (variances + c2))
            for c1, c2 in self._constants
        ]
        return 4.0 * torch.stack(found).mean((-1, -2)).mean(-1)

    def _in_single(
        self, pred: Array, target: Array
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(R, U, S), and (U, S) how much rounding may change it.

        A few images at a time, in place, so that the processor's cache holds everything: NumPy
        because its calls cost a fraction of torch's, which at this size is what counts.
        """
        groups, members = pred.shape[:2]
        found = np.empty((len(self._constants), groups, members))
        error = np.empty((groups, members))
        at_once = max(1, _VALUES_AT_ONCE // math.prod(pred.shape[2:]))
        for first in range(0, groups, max(1, at_once // members)):
            rows = slice(first, first + max(1, at_once // members))
            center = target[rows, None].mean((-1, -2), keepdims=True)
            truth = self._workspace(2, (len(center), 1, *target.shape[1:]))
            y = np.subtract(target[rows, None], center, out=truth.maps[0])
            np.multiply(y, y, out=truth.maps[1])
            moments = truth.filtered()
            for start in range(0, members, at_once):
                columns = slice(start, start + at_once)
                part = self._compare(pred[rows, columns], y, center, moments)
                found[:, rows, columns], error[rows, columns] = part
        return found, error

    def _compare(
        self, pred: Array, y: Array, center: Array, moments: Array
    ) -> tuple[NDArray[np.float64], Array]:
        """(R, U, S) and (U, S), for targets ``y`` without their means and those squared."""
        space = self._workspace(3, pred.shape)
        mean_y, square_y = moments
        x = np.subtract(pred, center, out=space.maps[0])
        np.multiply(x, y, out=space.maps[1])
        np.multiply(x, x, out=space.maps[2])
        mean_x, covariance, squares = space.filtered()
        some = squares[..., ::_SPARSE, ::_SPARSE] + square_y[..., ::_SPARSE, ::_SPARSE]
        above, below, scratch = space.scratch
        covariance -= np.multiply(mean_x, mean_y, out=scratch)
        squares -= np.multiply(mean_x, mean_x, out=scratch)
        least = min(c2 for _, c2 in self._constants)
        denominator = squares
        denominator += square_y - mean_y * mean_y + np.float32(least)
        some /= denominator[..., ::_SPARSE, ::_SPARSE]
        mean_x += center
        mean_y = mean_y + center
        found = []
        for c1, c2 in self._constants:
            np.multiply(mean_x, mean_y, out=above)
            above += np.float32(c1 / 2)
            above *= np.add(covariance, np.float32(c2 / 2), out=scratch)
            np.multiply(mean_x, mean_x, out=below)
            below += mean_y * mean_y + np.float32(c1)
            if c2 == least:
                below *= denominator
            else:
                below *= np.add(denominator, np.float32(c2 - least), out=scratch)
            above /= below
            found.append(4.0 * _means(above).mean(-1, dtype=np.float64))
        return np.stack(found), _means(some).max(-1) * _SINGLE_ERROR

    def _workspace(self, count: int, shape: tuple[int, ...]) -> _Workspace:
        """This thread's, the same for the same sizes."""
        spaces: dict[str, _Workspace] = self._memory.__dict__
        key = str((count, *shape))
        if key not in spaces:
            spaces[key] = _Workspace(count, shape)
        return spaces[key]


class _Workspace:
    """Memory for several maps over images, and what filters them.

    Args:
        count: maps.
        shape: (..., H, W) of each.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        *leading, height, width = shape
        inside = (*leading, height - WINDOW + 1, width - WINDOW + 1)
        self.maps = np.empty((count, *shape), np.float32)
        self.scratch = np.empty((3, *inside), np.float32)
        self._found = np.empty((count, *inside), np.float32)
        across = np.empty((count, *leading, height, width - WINDOW + 1), np.float32)
        # Products with a transposed view would take twice as long.
        self._products = [
            (self.maps[..., seen], np.ascontiguousarray(band.T), across[..., made])
            for seen, made, band in _blocks(width)
        ]
        self._products += [
            (band, across[..., seen, :], self._found[..., made, :])
            for seen, made, band in _blocks(height)
        ]

    def filtered(self) -> Array:
        """Local means of the maps where the window is inside: (count, ..., H - 10, W - 10)."""
        for left, right, product in self._products:
            np.matmul(left, right, out=product)
        return self._found


def _means(images: Array) -> Array:
    """Over pixels, (..., H, W) -> (...)."""
    return images.reshape(*images.shape[:-2], -1).mean(-1)


@lru_cache(maxsize=8)
def _band(length: int) -> NDArray[np.float64]:
    """(length - 10, length): row i averages the entries i .. i + 10 with Gaussian weights."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    weights /= weights.sum()
    return np.stack([np.pad(weights, (i, length - WINDOW - i)) for i in range(length - WINDOW + 1)])


def _blocks(length: int) -> list[tuple[slice, slice, Array]]:
    """The band in blocks that pass over few of its zeros: entries seen, rows made, and weights."""
    count = length - WINDOW + 1
    blocks = []
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        seen = slice(start, start + size + WINDOW - 1)
        band = _band(size + WINDOW - 1).astype(np.float32)
        blocks.append((seen, slice(start, start + size), band))
    return blocks
