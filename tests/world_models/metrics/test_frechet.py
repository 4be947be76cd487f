"""The Frechet distance equals closed forms and scipy, and refuses what has no meaning."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch.testing import assert_close

from armillary.world_models.metrics import (
    FeatureStatistics,
    frechet_distance,
    frechet_distance_of_features,
    least_samples,
)

SIZE = 7


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def covariance(rank: int = SIZE, size: int = SIZE, seed: int = 0) -> Tensor:
    factor = normal(size, rank, seed=seed)
    return factor @ factor.T


def by_scipy(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    root = np.real(sqrtm((cov1 @ cov2).numpy()))
    traces = float(cov1.trace() + cov2.trace()) - 2 * float(np.trace(root))
    return float((mean1 - mean2).square().sum()) + traces


def test_equals_scipy_on_random_gaussians() -> None:
    for seed in range(5):
        means = normal(2, SIZE, seed=seed)
        one, other = covariance(seed=seed), covariance(seed=seed + 100)
        expected = by_scipy(means[0], one, means[1], other)
        found = float(frechet_distance(means[0], one, means[1], other))
        assert found == pytest.approx(expected, rel=1e-8)


def test_equals_scipy_on_features_of_the_published_size() -> None:
    a, b = normal(256, 60), 1.3 * normal(256, 60, seed=1) @ normal(60, 60, seed=2) + 0.2
    gaussians = [(x.mean(0), x.T.cov()) for x in (a, b)]
    expected = by_scipy(*gaussians[0], *gaussians[1])
    assert float(frechet_distance_of_features(a, b)) == pytest.approx(expected, rel=1e-8)
    single = frechet_distance_of_features(a.float(), b.float())
    assert float(single) == pytest.approx(expected, rel=1e-5)


def test_diagonal_and_commuting_covariances_have_a_closed_form() -> None:
    first, second = torch.tensor([4.0, 1.0, 0.0, 9.0]), torch.tensor([1.0, 25.0, 4.0, 0.0])
    zero = torch.zeros(4)
    expected = float((first.sqrt() - second.sqrt()).square().sum())
    found = frechet_distance(zero, first.diag(), zero, second.diag())
    assert float(found) == pytest.approx(expected, rel=1e-12)
    basis = torch.linalg.qr(normal(4, 4)).Q
    turned = [basis @ values.double().diag() @ basis.T for values in (first, second)]
    found = frechet_distance(zero.double(), turned[0], zero.double(), turned[1])
    assert float(found) == pytest.approx(expected, rel=1e-10)


def test_one_dimension() -> None:
    found = frechet_distance(*(torch.tensor(x) for x in ([1.0], [[4.0]], [3.0], [[25.0]])))
    assert float(found) == pytest.approx((1 - 3) ** 2 + (2 - 5) ** 2)


@pytest.mark.parametrize("rank", [SIZE, 3, 1, 0])
def test_identical_gaussians_have_distance_zero(rank: int) -> None:
    cov, mean = covariance(rank), normal(SIZE)
    assert float(frechet_distance(mean, cov, mean, cov)) <= 1e-11 * (1 + float(cov.trace()))


def test_a_shifted_mean_adds_its_squared_length() -> None:
    cov, shift = covariance(3), normal(SIZE, seed=4)
    found = frechet_distance(torch.zeros(SIZE), cov, shift, cov)
    assert float(found) == pytest.approx(float(shift.square().sum()), rel=1e-10)


def test_rank_deficient_covariances_agree_with_the_nuclear_norm_of_the_data() -> None:
    a, b = normal(20, 60), normal(25, 60, seed=1)
    centred = [(x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b)]
    overlap = torch.linalg.svdvals(centred[0] @ centred[1].T).sum()
    expected = (a.mean(0) - b.mean(0)).square().sum() - 2 * overlap
    expected += sum(x.square().sum() for x in centred)
    assert float(frechet_distance_of_features(a, b)) == pytest.approx(float(expected), rel=1e-9)


def test_it_is_symmetric_and_batched() -> None:
    means = normal(2, 3, SIZE)
    covs = torch.stack(
        [torch.stack([covariance(seed=10 * i + j) for j in range(3)]) for i in (0, 1)]
    )
    there = frechet_distance(means[0], covs[0], means[1], covs[1])
    assert_close(there, frechet_distance(means[1], covs[1], means[0], covs[0]))
    for row in range(3):
        one = frechet_distance(means[0, row], covs[0, row], means[1, row], covs[1, row])
        assert_close(there[row], one)


def test_it_grows_with_the_difference() -> None:
    real = normal(300, SIZE)
    near, far = (frechet_distance_of_features(real, real + shift) for shift in (0.1, 0.5))
    assert 0 < float(near) < float(far)


def test_streamed_statistics_equal_those_of_all_samples() -> None:
    features = 1e3 + normal(101, SIZE)
    statistics = FeatureStatistics()
    for start in (0, 1, 40, 90):
        stop = {0: 1, 1: 40, 40: 90, 90: 101}[start]
        statistics.update(features[start:stop])
    assert statistics.count == 101
    assert_close(statistics.mean, features.mean(0))
    assert_close(statistics.covariance, features.T.cov(), rtol=1e-9, atol=1e-9)


def test_statistics_need_samples() -> None:
    statistics = FeatureStatistics()
    assert statistics.feature_size == 0
    with pytest.raises(ValueError, match="at least 1 samples are needed, got 0"):
        _ = statistics.mean
    statistics.update(normal(1, SIZE))
    assert statistics.feature_size == SIZE
    assert torch.equal(statistics.mean, normal(1, SIZE)[0])
    with pytest.raises(ValueError, match="at least 2 samples are needed, got 1"):
        _ = statistics.covariance
    with pytest.raises(ValueError, match="must have 7 features, got 3"):
        statistics.update(normal(2, 3))


def test_too_few_samples_for_the_features_are_refused() -> None:
    assert (least_samples(4), least_samples(400), least_samples(401)) == (16, 100, 101)
    with pytest.raises(
        ValueError, match=r"400 features needs at least 100 samples.*got 99.*rank 98"
    ):
        frechet_distance_of_features(normal(256, 400), normal(99, 400))
    assert float(frechet_distance_of_features(normal(256, 400), normal(100, 400))) > 0


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_features_that_are_not_finite_are_refused(value: float) -> None:
    bad = normal(20, 3)
    bad[4, 1] = bad[9, 0] = value
    with pytest.raises(ValueError, match="NaN or infinity in sample 4"):
        frechet_distance_of_features(normal(20, 3), bad)
    with pytest.raises(ValueError, match="mean2 and cov2 must be finite"):
        frechet_distance(torch.zeros(3), torch.eye(3), bad[4], torch.eye(3))


def test_other_shapes_are_refused() -> None:
    eye, zero = torch.eye(3), torch.zeros(3)
    with pytest.raises(ValueError, match="same number of features, got 3 and 4"):
        frechet_distance_of_features(normal(20, 3), normal(20, 4))
    with pytest.raises(ValueError, match=r"floating point \(N, F\)"):
        frechet_distance_of_features(normal(20, 3), torch.zeros(20, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="all of the same sizes"):
        frechet_distance(zero, eye, torch.zeros(4), torch.eye(4))
    with pytest.raises(ValueError, match="all of the same sizes"):
        frechet_distance(zero, eye, zero, torch.ones(3))


def test_what_is_no_covariance_is_refused() -> None:
    eye, zero = torch.eye(2), torch.zeros(2)
    with pytest.raises(ValueError, match="cov2 must be symmetric"):
        frechet_distance(zero, eye, zero, torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="cov1 must be positive semi-definite"):
        frechet_distance(zero, -eye, zero, eye)
