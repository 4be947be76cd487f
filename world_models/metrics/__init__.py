"""Metrics of images, segmentations and features: functions over batches, on any device."""

from armillary.world_models.metrics.frechet import (
    FeatureStatistics,
    check_sample_count,
    frechet_distance,
    frechet_distance_of_features,
    least_samples,
)
from armillary.world_models.metrics.image import psnr, similarities, ssim, ssim_ref
from armillary.world_models.metrics.segmentation import (
    RECALL_THRESHOLDS,
    adjusted_rand_index,
    average_recall,
    mean_iou,
    object_ious,
    recall,
)

__all__ = [
    "RECALL_THRESHOLDS",
    "FeatureStatistics",
    "adjusted_rand_index",
    "average_recall",
    "check_sample_count",
    "frechet_distance",
    "frechet_distance_of_features",
    "least_samples",
    "mean_iou",
    "object_ious",
    "psnr",
    "recall",
    "similarities",
    "ssim",
    "ssim_ref",
]
