"""Metrics of images and segmentations: pure functions over batches, on any device."""

from world_models.metrics.image import psnr, ssim
from world_models.metrics.segmentation import (
    RECALL_THRESHOLDS,
    adjusted_rand_index,
    average_recall,
    mean_iou,
    object_ious,
)

__all__ = [
    "RECALL_THRESHOLDS",
    "adjusted_rand_index",
    "average_recall",
    "mean_iou",
    "object_ious",
    "psnr",
    "ssim",
]
