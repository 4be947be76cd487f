"""Compares the speed of PSNR and SSIM of many rollouts with scikit-image, frame by frame.

Run with ``python benchmarks/video_metrics.py``; both are timed in turn, in one run, on the same
random videos, and their numbers compared. The frames given to scikit-image are float64, the only
type for which it keeps to 1e-5.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from armillary.world_models.metrics import psnr, ssim


def main() -> None:
    """Prints the least seconds of each, their ratio and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=16)
    parser.add_argument("--rollouts", type=int, default=100)
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--looped", type=int, default=800, help="frames in the loop, scaled up")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pred, truth = videos(arguments)
    frames = pred.shape[:3].numel()
    looped = min(arguments.looped, frames)
    chosen = np.linspace(0, frames - 1, looped).astype(int)
    ours, theirs = [], []
    found: tuple[Tensor, Tensor] = psnr(pred[:1], truth[:1]), ssim(pred[:1], truth[:1])
    expected = np.empty((2, looped))
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        found = psnr(pred, truth), ssim(pred, truth)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        expected = loop(pred, truth, chosen)
        theirs.append((time.perf_counter() - start) * frames / looped)
    differences = [
        np.abs(each.flatten().numpy()[chosen] - want).max()
        for each, want in zip(found, expected, strict=True)
    ]
    print(f"{frames} frames of {arguments.size} px, {arguments.threads} threads, best of", end=" ")
    print(f"{arguments.repeats}, seed {arguments.seed}")
    print(f"scikit-image, frame by frame: {min(theirs):.2f} s (from {looped} frames)")
    print(f"armillary: {min(ours):.3f} s")
    print(f"ratio: {min(theirs) / min(ours):.1f}")
    print(f"largest difference: PSNR {differences[0]:.1e} dB, SSIM {differences[1]:.1e}")


def videos(arguments: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Rollouts (V, S, T, 3, H, W) and the truth (V, 1, T, 3, H, W): smooth images and noise."""
    generator = torch.Generator().manual_seed(arguments.seed)
    size, shape = arguments.size, (arguments.videos, 1, arguments.horizon)
    coarse = torch.rand(*shape, 3, size // 8, size // 8, generator=generator).flatten(0, 2)
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    truth = smooth.unflatten(0, shape)
    pred = truth.repeat(1, arguments.rollouts, 1, 1, 1, 1)
    for part in pred:
        part.add_(torch.randn(part.shape, generator=generator), alpha=0.05).clamp_(0.0, 1.0)
    return pred, truth


def loop(pred: Tensor, truth: Tensor, chosen: np.ndarray) -> np.ndarray:
    """(2, N): PSNR and SSIM of some frames by scikit-image."""
    found = np.empty((2, len(chosen)))
    for place, index in enumerate(chosen):
        video, rollout, frame = np.unravel_index(index, pred.shape[:3])
        image = pred[video, rollout, frame].double().numpy()
        true = truth[video, 0, frame].double().numpy()
        found[0, place] = peak_signal_noise_ratio(true, image, data_range=1.0)
        found[1, place] = structural_similarity(
            true,
            image,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=True,
        )
    return found


if __name__ == "__main__":
    main()
