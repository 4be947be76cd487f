"""PSNR and SSIM equal their definitions, scikit-image and recorded values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.world_models.metrics.conftest import recorded
from world_models.metrics import psnr, ssim


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
    with pytest.raises(ValueError, match="floating point"):
        metric(torch.zeros(3, 16, 16, dtype=torch.uint8), images(3, 16, 16))
    with pytest.raises(ValueError, match="at least 11"):
        ssim(images(3, 10, 16), images(3, 10, 16))


@pytest.mark.parametrize("case", ["0", "1"])
def test_recorded_values(case: str) -> None:
    """Float32 recordings of the published evaluation and of two releases of its library."""
    arrays = recorded("metrics_video.npz")
    target = torch.from_numpy(arrays[f"{case}/gt"]).unsqueeze(1)
    pred = torch.from_numpy(arrays[f"{case}/gen"]).transpose(0, 1)
    target = target.expand_as(pred)
    for run, data_range in [("sk016", 2.0), ("sk026_dr2", 2.0), ("sk026_dr1", 1.0)]:
        np.testing.assert_allclose(psnr(pred, target), arrays[f"{case}/{run}/all_psnr"], atol=2e-5)
        np.testing.assert_allclose(
            ssim(pred, target, data_range), arrays[f"{case}/{run}/all_ssim"], atol=1e-5
        )
