"""Compares our metrics with values that the authors' code recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.world_models.metrics import adjusted_rand_index, object_ious, psnr, ssim
from armillary.world_models.metrics.image import REFERENCE_RANGE

Arrays = Mapping[str, NDArray]
Errors = list[tuple[str, float]]
"""The largest absolute difference of each recorded output, by its name."""

THRESHOLDS = torch.arange(11) / 10
"""0, 0.1, ... 1.0: the authors also count threshold 0, which every object passes."""
DATA_RANGES = {"sk016": REFERENCE_RANGE, "sk026_dr2": REFERENCE_RANGE, "sk026_dr1": 1.0}
"""By run: scikit-image 0.16.2 as the authors had it, and 0.26 with two data ranges."""


def check_segmentation(npz: Arrays) -> Errors:
    """Every output of every group of ``metrics_seg.npz``: (name, largest error)."""
    errors: Errors = []
    for group in _groups(npz, "true"):
        true = torch.from_numpy(npz[f"{group}/true"])[..., 0, :, :].long()
        pred = torch.from_numpy(npz[f"{group}/pred"])[..., 0, :, :]
        recorded = {name: npz[f"{group}/{name}"] for name in _names(npz, group)}
        if pred.ndim == 5:
            found = _rollouts(true, pred, int(recorded.pop("random_seed")))
        else:
            found = _frames(true, pred)
            if "pixel_mse" in recorded:
                image, colors = (torch.from_numpy(recorded.pop(k)) for k in ("img", "colors"))
                composed = (colors * pred.unsqueeze(2)).sum(1)
                found["pixel_mse"] = (10 ** (-psnr(composed, image).double() / 10)).numpy()
        recorded = {name: v for name, v in recorded.items() if name not in ("true", "pred")}
        errors += _differences(group, found, recorded)
    return errors


def check_video(npz: Arrays) -> Errors:
    """Every output of every group of ``metrics_video.npz``: (name, largest error)."""
    errors: Errors = []
    for group in _groups(npz, "gt"):
        truth = torch.from_numpy(npz[f"{group}/gt"]).unsqueeze(1)
        generated = torch.from_numpy(npz[f"{group}/gen"]).transpose(0, 1)
        for run in sorted({name.split("/")[0] for name in _names(npz, group)} - {"gt", "gen"}):
            recorded = {name: npz[f"{group}/{run}/{name}"] for name in _names(npz, group, run)}
            values = {
                "psnr": psnr(generated, truth).numpy(),
                "ssim": ssim(generated, truth, DATA_RANGES[run]).numpy(),
            }
            found: dict[str, NDArray] = {}
            for metric, each in values.items():
                found[f"all_{metric}"] = each
                random = int(recorded.pop(f"{metric}/random_idx"))
                tiers = _tiers(each.astype(np.float64), random)
                found |= {f"{metric}/{name}": value for name, value in tiers.items()}
            errors += _differences(f"{group}/{run}", found, recorded)
    return errors


def _frames(true: Tensor, pred: Tensor) -> dict[str, NDArray]:
    """ARI, recall and the picture of the best slots, per frame.

    Args:
        true: (T, H, W) labels.
        pred: (T, K, H, W) soft masks.
    """
    ious, seen = object_ious(true, pred)
    best = ious.argmax(-1)
    # A label that is not seen, such as the background's, shows the first slot.
    best = torch.cat([torch.zeros_like(best[:, :1]), best], 1)
    labels = torch.arange(best.shape[1]).view(1, -1, 1, 1)
    shown = (true.unsqueeze(1) == labels) & (labels > 0)
    slots = pred.gather(1, best[..., None, None].expand(-1, -1, *pred.shape[-2:]))
    return {
        "ari": _ari(true, pred),
        "ar": _recall(ious, seen),
        "iou_video": torch.cat([shown.float(), slots], 2).numpy(),
    }


def _rollouts(true: Tensor, pred: Tensor, seed: int) -> dict[str, NDArray]:
    """Recall per frame of the tiers of S rollouts, (T, H, W) and (S, T, K, H, W).

    The random tier is the first draw of numpy's global generator after the recorded seed.
    """
    each = np.stack([_recall(*object_ious(true, one)) for one in pred], 1)
    tiers = _tiers(each.astype(np.float64), np.random.RandomState(seed).randint(len(pred)))
    return {name: value for name, value in tiers.items() if not name.endswith("_idx")}


def _recall(ious: Tensor, seen: Tensor) -> NDArray:
    """The authors' recall (T,): objects of the clip that a frame lacks count with an IoU of 0."""
    best = ious.amax(-1)[:, seen.any(0)]
    return (best.unsqueeze(-1) >= THRESHOLDS).float().mean((-1, -2)).numpy()


def _ari(true: Tensor, pred: Tensor) -> NDArray:
    """The authors' ARI (T,) of the foreground: the expected index is divided by all pixels' pairs.

    It is computed as the plain ARI of a larger segmentation: the foreground as it is, and the
    background's pixels each in a segment of their own on both sides. They make no pair in either
    segmentation but count among all pairs of pixels.
    """
    found = []
    for labels, segments in zip(true.flatten(1), pred.argmax(1).flatten(1), strict=True):
        own = torch.arange(len(labels)) + max(int(labels.max()), int(segments.max())) + 1
        pair = (torch.where(labels > 0, x, own).view(1, -1) for x in (labels, segments))
        ari = adjusted_rand_index(*pair, foreground=False).item()
        found.append(ari if bool((labels > 0).any()) else np.nan)
    return np.array(found)


def _tiers(values: NDArray, random: int) -> dict[str, NDArray]:
    """The best, worst and a random one of S rollouts by their sums, (T, S) -> (T,) each."""
    best, worst = values.sum(0).argmax(), values.sum(0).argmin()
    return {
        "best": values[:, best],
        "best_idx": np.array(best),
        "random": values[:, random],
        "worst": values[:, worst],
        "worst_idx": np.array(worst),
        "mean": values.mean(1),
        "std": values.std(1),
    }


def _differences(
    group: str, found: Mapping[str, NDArray], recorded: Mapping[str, NDArray]
) -> Errors:
    """NaN in one place only counts as infinitely wrong.

    Raises:
        ValueError: something was recorded that is not computed here.
    """
    unknown = set(recorded) - set(found)
    if unknown:
        raise ValueError(f"{group} records {sorted(unknown)}, known are {sorted(found)}")
    errors: Errors = []
    for name, want in recorded.items():
        have = np.asarray(found[name])
        error = np.inf
        if have.shape == want.shape and np.array_equal(np.isnan(have), np.isnan(want)):
            error = float(np.nanmax(np.abs(have - want), initial=0.0))
        errors.append((f"{group}/{name}", error))
    return errors


def _groups(npz: Arrays, name: str) -> list[str]:
    """The groups that hold an array of this name."""
    return [key.removesuffix(f"/{name}") for key in npz if key.endswith(f"/{name}")]


def _names(npz: Arrays, *path: str) -> list[str]:
    """The arrays below a group."""
    prefix = "/".join(path) + "/"
    return [key.removeprefix(prefix) for key in npz if key.startswith(prefix)]
