"""PSNR and SSIM equal their definitions, scikit-image and recorded values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from armillary.world_models.metrics import psnr, similarities, ssim, ssim_ref
from tests.parity.metrics import check_video
from tests.world_models.metrics.conftest import recorded


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def similarity(pred: torch.Tensor, target: torch.Tensor, data_range: float) -> float:
    """scikit-image's answer in float64 for one image (C, H, W)."""
    found = structural_similarity(
        pred.double().numpy(),
        target.double().numpy(),
        channel_axis=0,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=True,
    )
    return float(np.asarray(found))


def test_psnr_of_a_known_error() -> None:
    target = torch.full((3, 8, 8), 0.5)
    assert psnr(target + 0.1, target).item() == pytest.approx(20.0, abs=1e-4)
    one_channel = target.clone()
    one_channel[0] += 0.1
    assert psnr(one_channel, target).item() == pytest.approx(24.7712, abs=1e-3)


def test_psnr_of_a_batch_is_that_of_each_image() -> None:
    pred, target = images(2, 5, 3, 9, 12), images(2, 5, 3, 9, 12, seed=1)
    found = psnr(pred, target)
    assert found.shape == (2, 5)
    for i in np.ndindex(2, 5):
        expected = peak_signal_noise_ratio(target[i].numpy(), pred[i].numpy(), data_range=1.0)
        assert found[i].item() == pytest.approx(expected, abs=1e-4)


def test_identical_images() -> None:
    target = images(2, 3, 16, 16)
    assert psnr(target, target).tolist() == [torch.inf, torch.inf]
    torch.testing.assert_close(ssim(target, target), torch.ones(2))


@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 24, 40), (3, 11, 11)])
@pytest.mark.parametrize("noise", [0.003, 0.1, 1.0])
def test_ssim_is_that_of_scikit_image(
    shape: tuple[int, int, int], noise: float, data_range: float
) -> None:
    smooth = torch.nn.functional.avg_pool2d(images(6, *shape), 5, stride=1, padding=2)
    target = smooth * data_range
    pred = target + noise * data_range * (images(6, *shape, seed=1) - 0.5)
    found = ssim(pred, target, data_range)
    assert found.dtype == torch.float32
    for i in range(6):
        expected = similarity(pred[i], target[i], data_range)
        assert found[i].item() == pytest.approx(expected, abs=1e-5)


def test_ssim_keeps_leading_dimensions() -> None:
    pred, target = images(2, 3, 3, 12, 16), images(2, 3, 3, 12, 16, seed=1)
    found = ssim(pred, target)
    assert found.shape == (2, 3)
    torch.testing.assert_close(found[1, 2], ssim(pred[1, 2], target[1, 2]))
    assert ssim(pred[0, 0], target[0, 0]).shape == ()


def test_ssim_of_flat_images_is_their_luminance_term() -> None:
    pred, target = torch.full((3, 16, 16), 0.2), torch.full((3, 16, 16), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim(pred, target).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_bad_images_are_refused(metric) -> None:
    with pytest.raises(ValueError, match=r"\(3, 16, 16\) and \(3, 16, 17\)"):
        metric(images(3, 16, 16), images(3, 16, 17))
    with pytest.raises(ValueError, match="or target 1 in the dimensions over which"):
        metric(images(2, 3, 16, 16), images(2, 1, 16, 16))
    with pytest.raises(ValueError, match="or target 1 in the dimensions over which"):
        metric(images(3, 16, 16), images(1, 3, 16, 16))
    with pytest.raises(ValueError, match="floating point"):
        metric(torch.zeros(3, 16, 16, dtype=torch.uint8), images(3, 16, 16))
    with pytest.raises(ValueError, match="at least 11"):
        ssim(images(3, 10, 16), images(3, 10, 16))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_images_of_another_range_are_refused(metric) -> None:
    for pred, target in ((images(3, 16, 16) * 255, images(3, 16, 16)), (images(3, 16, 16),) * 2):
        with pytest.raises(ValueError, match="must lie within a range of 1"):
            metric(pred, target * 255)
    with pytest.raises(ValueError, match="pred holds"):
        metric(images(3, 16, 16) * 255, images(3, 16, 16))
    # Predictions may leave the range by as much as it is wide, targets not at all.
    assert metric(images(3, 16, 16) * 2 - 0.5, images(3, 16, 16)).isfinite()
    with pytest.raises(ValueError, match="pred holds"):
        metric(images(3, 16, 16) * 2.2, images(3, 16, 16))
    with pytest.raises(ValueError, match="target holds"):
        metric(images(3, 16, 16), images(3, 16, 16) * 1.1)
    assert bool((ssim(images(3, 16, 16) * 255, images(3, 16, 16) * 255, 255.0) > 0.99).all())


def test_nan_stays_with_its_image() -> None:
    pred, target = images(3, 3, 16, 16), images(3, 3, 16, 16, seed=1)
    pred[1, 0, 3, 3] = torch.nan
    for metric in (psnr, ssim):
        assert metric(pred, target).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("shape", [(2, 1, 4), (1, 5, 1), (1, 1, 1), (2, 5, 1), (4,), ()])
@pytest.mark.parametrize("metric", [psnr, ssim, ssim_ref])
def test_a_shared_target_is_that_of_each_image(metric, shape: tuple[int, ...]) -> None:
    pred, target = images(2, 5, 4, 3, 16, 12), images(*shape, 3, 16, 12, seed=1)
    found = metric(pred, target)
    torch.testing.assert_close(found, metric(pred, target.expand_as(pred).clone()))
    assert found.shape == (2, 5, 4)


def test_the_reference_has_data_range_2() -> None:
    pred, target = images(4, 3, 16, 16), images(4, 3, 16, 16, seed=1)
    torch.testing.assert_close(ssim_ref(pred, target), ssim(pred, target, 2.0))
    both = similarities(pred, target, (1.0, 2.0))
    torch.testing.assert_close(both, torch.stack([ssim(pred, target), ssim_ref(pred, target)]))


FLAT = torch.full((3, 32, 32), 0.7)
HALVES = torch.cat([torch.zeros(3, 32, 16), torch.ones(3, 32, 16)], -1)
SPOT = FLAT.index_put((torch.tensor(1), torch.tensor(9), torch.tensor(20)), torch.tensor(0.1))
FAINT = HALVES.clamp(0.0, 0.999) + 1e-3 * images(3, 32, 32)


@pytest.mark.parametrize("pred", [FLAT, HALVES, SPOT, FAINT], ids=["flat", "half", "spot", "faint"])
@pytest.mark.parametrize("true", [FLAT, HALVES, SPOT, FAINT], ids=["flat", "half", "spot", "faint"])
def test_ssim_of_degenerate_images_is_that_of_scikit_image(
    pred: torch.Tensor, true: torch.Tensor
) -> None:
    """Large flat regions are where single precision fails."""
    for data_range in (1.0, 2.0):
        expected = similarity(pred, true, data_range)
        assert ssim(pred, true, data_range).item() == pytest.approx(expected, abs=1e-5)


def test_precision_does_not_depend_on_the_setting_of_torch() -> None:
    pred, target = images(2, 3, 32, 32), images(2, 3, 32, 32, seed=1)
    expected = ssim(pred.double(), target.double()).float()
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.testing.assert_close(ssim(pred, target), expected, atol=1e-6, rtol=0)
    finally:
        torch.set_float32_matmul_precision(before)


def test_half_precision_images_keep_their_type() -> None:
    pred, target = images(2, 3, 16, 16).bfloat16(), images(2, 3, 16, 16, seed=1).bfloat16()
    for metric in (psnr, ssim):
        assert metric(pred, target).dtype == torch.bfloat16
        expected = metric(pred.double(), target.double())
        torch.testing.assert_close(metric(pred, target).double(), expected, atol=0.04, rtol=0)


def test_no_images_are_refused() -> None:
    for metric in (psnr, ssim):
        with pytest.raises(ValueError, match="at least one image"):
            metric(images(0, 3, 16, 16), images(0, 3, 16, 16))
    with pytest.raises(ValueError, match="must be positive"):
        ssim(images(3, 16, 16), images(3, 16, 16), 0.0)


def test_recorded_values() -> None:
    """Recordings of the published evaluation and of two releases of its library."""
    errors = check_video(recorded("metrics_video.npz"))
    assert len(errors) > 90
    assert max(error for _, error in errors) < 1e-5
