"""How far apart two sets of features are: the Frechet distance of the Gaussians fitted to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.metrics.precision import double

LEAST_SAMPLES = 16


class FeatureStatistics:
    """Mean and covariance of features that arrive in batches; memory does not grow with them.

    Batches are merged by the update of Chan, Golub and LeVeque (1979), in float64.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = torch.zeros(())
        self._scatter = torch.zeros(())

    def update(self, features: Tensor) -> None:
        """Adds a batch.

        Args:
            features: (N, F), N and F at least 1, finite.

        Raises:
            ArmillaryError: the batch is shaped differently or is not finite.
        """
        _check_features(features)
        if self.count and features.shape[1] != self.feature_size:
            raise ArmillaryError(
                f"all batches must have {self.feature_size} features, got {features.shape[1]}"
            )
        batch, values = len(features), double(features)
        mean = values.mean(0)
        centred = values - mean
        scatter = centred.T @ centred
        if not self.count:
            self.count, self._mean, self._scatter = batch, mean, scatter
            return
        total = self.count + batch
        shift = mean - self._mean
        self._scatter = (
            self._scatter + scatter + torch.outer(shift, shift) * (self.count * batch / total)
        )
        self._mean = self._mean + shift * (batch / total)
        self.count = total

    @property
    def feature_size(self) -> int:
        """F; 0 before the first batch."""
        return len(self._mean) if self.count else 0

    @property
    def mean(self) -> Tensor:
        """(F,) float64. Raises ArmillaryError before the first batch."""
        self._require(1)
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """(F, F) float64, divided by N - 1. Raises ArmillaryError for fewer than two samples."""
        self._require(2)
        return self._scatter / (self.count - 1)

    def _require(self, count: int) -> None:
        if self.count < count:
            raise ArmillaryError(f"at least {count} samples are needed, got {self.count}")


def least_samples(feature_size: int) -> int:
    """How many samples of F features a Frechet distance needs to mean anything: max(16, F / 4).

    The covariance of N samples has at most rank N - 1, and the distance of two sets from the same
    distribution grows with F / N. The published protocol of the Frechet video distance takes 256
    videos for 400 features; below a quarter of F at least three quarters of all directions would
    have no variance at all, and the number would say how many samples there were, not what
    they look like.
    """
    return max(LEAST_SAMPLES, math.ceil(feature_size / 4))


def check_sample_count(count: int, feature_size: int) -> None:
    """Raises ArmillaryError if ``count`` is below ``least_samples(feature_size)``; says why."""
    least = least_samples(feature_size)
    if count < least:
        raise ArmillaryError(
            f"a Frechet distance of {feature_size} features needs at least {least} samples in "
            f"each set (a quarter of the features, and {LEAST_SAMPLES}), got {count}: a covariance "
            f"of {count} samples has at most rank {max(count - 1, 0)} of {feature_size}"
        )


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> Tensor:
    """Squared Frechet distance of two Gaussians (Dowson and Landau, 1982).

    ``|mean1 - mean2|^2 + tr(cov1 + cov2 - 2 (cov1 cov2)^(1/2))``, the formula behind FID (Heusel et
    al., 2017) and FVD (Unterthiner et al., 2018). The trace of the root is computed as the sum of
    the singular values of ``cov1^(1/2) cov2^(1/2)``: equal to that of the eigenvalues' roots of
    ``cov1^(1/2) cov2 cov1^(1/2)``, but rounding is not blown up by a root where a
    covariance is rank-deficient.

    Args:
        mean1: (..., F) floating point.
        cov1: (..., F, F) symmetric, positive semi-definite.
        mean2: (..., F).
        cov2: (..., F, F).

    Returns:
        (...) float64, at least 0; 0 for equal Gaussians. In squared units of the features. On
        the CPU where the device has no float64, else on the arguments' device.

    Raises:
        ArmillaryError: the shapes do not belong together, a value is NaN or infinite, or a
            covariance is not symmetric or has a negative eigenvalue.
    """
    for name, mean, cov in (("1", mean1, cov1), ("2", mean2, cov2)):
        size = mean.shape[-1] if mean.ndim else 0
        if not size or mean.shape != mean1.shape or cov.shape != (*mean.shape, size):
            raise ArmillaryError(
                "means must be (..., F) and covariances (..., F, F), all of the same sizes; got "
                f"{tuple(mean1.shape)}, {tuple(cov1.shape)}, {tuple(mean2.shape)} and "
                f"{tuple(cov2.shape)}"
            )
        if not (mean.isfinite().all() and cov.isfinite().all()):
            raise ArmillaryError(f"mean{name} and cov{name} must be finite, got NaN or infinity")
    mean1, cov1, mean2, cov2 = (double(tensor) for tensor in (mean1, cov1, mean2, cov2))
    roots = _root(cov1, "cov1") @ _root(cov2, "cov2")
    overlap = torch.linalg.svdvals(roots).sum(-1)
    traces = (torch.diagonal(cov, dim1=-2, dim2=-1).sum(-1) for cov in (cov1, cov2))
    shift = (mean1 - mean2).square().sum(-1)
    return (shift + sum(traces) - 2 * overlap).clamp_min(0.0)


def frechet_distance_of_features(a: Tensor, b: Tensor) -> Tensor:
    """Squared Frechet distance of the Gaussians fitted to two sets of features.

    Args:
        a: (N1, F), N1 at least ``least_samples(F)``, finite.
        b: (N2, F), N2 likewise.

    Returns:
        () float64, at least 0.

    Raises:
        ArmillaryError: the shapes disagree, a value is not finite, or there are too few samples.
    """
    both = []
    for features in (a, b):
        _check_features(features)
        check_sample_count(*features.shape)
        statistics = FeatureStatistics()
        statistics.update(features)
        both.append(statistics)
    one, other = both
    if one.feature_size != other.feature_size:
        raise ArmillaryError(
            "both sets must have the same number of features, "
            f"got {one.feature_size} and {other.feature_size}"
        )
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def _root(covariance: Tensor, name: str) -> Tensor:
    """The symmetric square root of (..., F, F); what is zero up to rounding becomes zero."""
    scale = covariance.abs().amax((-1, -2))
    skew = (covariance - covariance.mT).abs().amax((-1, -2))
    if (skew > 1e-6 * scale).any():
        raise ArmillaryError(f"{name} must be symmetric, got a difference of {float(skew.max()):g}")
    values, vectors = torch.linalg.eigh((covariance + covariance.mT) / 2)
    if (values[..., 0] < -1e-5 * values.abs().amax(-1)).any():
        raise ArmillaryError(
            f"{name} must be positive semi-definite, got the eigenvalue {float(values.min()):g}"
        )
    rounding = values[..., -1:] * covariance.shape[-1] * torch.finfo(values.dtype).eps
    roots = torch.where(values > rounding, values, 0.0).sqrt()
    return (vectors * roots.unsqueeze(-2)) @ vectors.mT


def _check_features(features: Tensor) -> None:
    if features.ndim != 2 or not features.numel() or not features.is_floating_point():
        raise ArmillaryError(
            "features must be floating point (N, F) with N and F at least 1, "
            f"got {features.dtype} {tuple(features.shape)}"
        )
    if not features.isfinite().all():
        row = int((~features.isfinite()).any(1).nonzero()[0])
        raise ArmillaryError(f"features must be finite, got NaN or infinity in sample {row}")
