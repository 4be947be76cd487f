"""How well predicted segments match the true objects: ARI, matched IoU and average recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.metrics.precision import double

RECALL_THRESHOLDS = tuple(i / 10 for i in range(1, 11))
"""0.1, 0.2, ... 1.0."""


def adjusted_rand_index(true: Tensor, pred: Tensor, foreground: bool = True) -> Tensor:
    """Adjusted Rand index of two segmentations (Hubert and Arabie, 1985).

    Counts pairs of pixels: 1 is perfect up to the names of the segments, 0 is chance. With
    ``foreground`` this is the FG-ARI of the object-centric literature: only pixels of true objects
    count, in the expected value, too.

    Args:
        true: (..., H, W) integer labels, 0 for the background; or soft masks (..., K, H, W),
            floating point, channel 0 for the background.
        pred: (..., H, W) integer labels or (..., K, H, W) soft masks, in any order of segments.
        foreground: leave out the pixels whose true label is 0.

    Returns:
        (...) float32, at most 1; 1 where both have a single segment; NaN where no pixel counts.

    Raises:
        ArmillaryError: the shapes disagree, or a label is negative.
    """
    counts = _contingency(true, pred)
    if foreground:
        counts = counts[..., 1:, :]
    # Ordered pairs: in one segment of both, of the truth, of the prediction, and all there are.
    total = counts.sum((-1, -2))
    both = counts.square().sum((-1, -2)) - total
    in_true = counts.sum(-1).square().sum(-1) - total
    in_pred = counts.sum(-2).square().sum(-1) - total
    pairs = total.square() - total
    expected = in_true * (in_pred / pairs.clamp_min(1))
    gain, best = both - expected, (in_true + in_pred) / 2 - expected
    # Without room above chance both have one segment, or both one for each pixel.
    index = torch.where(best == 0, 1.0, gain / torch.where(best == 0, 1.0, best))
    return torch.where(total == 0, torch.nan, index).to(true.device, torch.float32)


def object_ious(true: Tensor, pred: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union of every true object with every predicted segment.

    Args:
        true: (..., H, W) integer labels, 0 for the background, or soft masks (..., K, H, W).
        pred: (..., H, W) integer labels or (..., K, H, W) soft masks.

    Returns:
        (..., M, L) float32 in [0, 1] for the true labels 1 .. M and the predicted 0 .. L - 1, and
        (..., M) bool, whether the object is seen; the row of an object that is not is 0.

    Raises:
        ArmillaryError: the shapes disagree, or a label is negative.
    """
    counts = _contingency(true, pred)
    union = counts.sum(-1, keepdim=True) + counts.sum(-2, keepdim=True) - counts
    ious = (counts / union.clamp_min(1)).to(true.device, torch.float32)
    seen = counts.sum(-1).to(true.device) > 0
    return ious[..., 1:, :], seen[..., 1:]


def mean_iou(true: Tensor, pred: Tensor) -> Tensor:
    """Mean over the true objects of the IoU with the one segment each is matched to.

    No segment serves two objects; the matching maximises the sum (Hungarian algorithm), and an
    object left without a segment counts as 0.

    Args:
        true: (..., H, W) integer labels, 0 for the background, or soft masks (..., K, H, W).
        pred: (..., H, W) integer labels or (..., K, H, W) soft masks.

    Returns:
        (...) float32 in [0, 1]; NaN without objects.

    Raises:
        ArmillaryError: the shapes disagree, or a label is negative.
    """
    ious, seen = object_ious(true, pred)
    items = ious.flatten(0, -3) if ious.ndim > 2 else ious.unsqueeze(0)
    totals = []
    for item in items.cpu().numpy():
        rows, columns = linear_sum_assignment(item, maximize=True)
        totals.append(item[rows, columns].sum())
    matched = torch.from_numpy(np.array(totals)).to(ious.device).reshape(ious.shape[:-2])
    return matched / seen.sum(-1)


def recall(true: Tensor, pred: Tensor, thresholds: Sequence[float] = RECALL_THRESHOLDS) -> Tensor:
    """The share of objects found, for each threshold on the IoU with their best segment.

    Args:
        true: (..., H, W) integer labels, 0 for the background, or soft masks (..., K, H, W).
        pred: (..., H, W) integer labels or (..., K, H, W) soft masks.
        thresholds: R of them in (0, 1]; an object is found where its IoU is at least that. Two
            objects may be found in the same segment.

    Returns:
        (..., R) float32 in [0, 1]; NaN without objects.

    Raises:
        ArmillaryError: the shapes disagree, a label is negative, or a threshold is not in (0, 1].
    """
    if not thresholds or not all(0 < threshold <= 1 for threshold in thresholds):
        raise ArmillaryError(f"thresholds must lie in (0, 1], got {list(thresholds)}")
    ious, seen = object_ious(true, pred)
    limits = torch.tensor(thresholds, dtype=ious.dtype, device=ious.device)
    found = ious.amax(-1, keepdim=True) >= limits
    return found.float().sum(-2) / seen.sum(-1, keepdim=True)


def average_recall(
    true: Tensor, pred: Tensor, thresholds: Sequence[float] = RECALL_THRESHOLDS
) -> Tensor:
    """``recall`` averaged over its thresholds, (...) float32 in [0, 1]; NaN without objects."""
    return recall(true, pred, thresholds).mean(-1)


def _contingency(true: Tensor, pred: Tensor) -> Tensor:
    """(..., M + 1, L) float64: how many pixels have true label i and predicted label j."""
    true, pred = _labels(true), _labels(pred)
    if true.shape != pred.shape or true.ndim < 2:
        raise ArmillaryError(
            "true and pred must be label maps (..., H, W) or soft masks (..., K, H, W) of the same "
            f"images, got labels shaped {tuple(true.shape)} and {tuple(pred.shape)}"
        )
    *leading, height, width = true.shape
    true, pred = (labels.reshape(-1, height * width) for labels in (true, pred))
    if true.numel() == 0:
        raise ArmillaryError(f"there must be at least one image and pixel, got {tuple(true.shape)}")
    if min(true.min(), pred.min()) < 0:
        raise ArmillaryError("labels must not be negative")
    # At least one row beside the background's, so that object-free batches need no branch.
    rows, columns = max(int(true.max()), 1) + 1, int(pred.max()) + 1
    images = torch.arange(len(true), device=true.device).unsqueeze(1)
    cells = (images * rows + true) * columns + pred
    counts = torch.bincount(cells.flatten(), minlength=len(true) * rows * columns)
    return double(counts).reshape(*leading, rows, columns)


def _labels(segmentation: Tensor) -> Tensor:
    """(..., H, W) int64 of a label map, or of soft masks (..., K, H, W)."""
    if segmentation.is_floating_point():
        return segmentation.argmax(-3)
    return segmentation.long()
