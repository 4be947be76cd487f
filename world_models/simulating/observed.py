"""What environments tell, as a model takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError, required
from armillary.world_models.simulator import Observation


def entries(observations: Sequence[Observation], name: str) -> list[Any]:
    """That entry of all observations. Raises ArmillaryError where one lacks it."""
    return [required(observation, name, "an observation") for observation in observations]


def frames_of(images: Sequence[Sequence[np.ndarray]], size: int, device: torch.device) -> Tensor:
    """Images of B scenes, C of each, as a model of ``size`` pixels takes them.

    Args:
        images: (H, W, 3) uint8.
        size: H = W.
        device: where they are to be.

    Returns:
        (B, C, 3, H, W) float32 in [0, 1].

    Raises:
        ArmillaryError: images of another kind or size, or not as many of each scene.
    """
    lengths = {len(row) for row in images}
    if len(lengths) != 1 or lengths == {0}:
        raise ArmillaryError(
            "every scene must be shown in as many frames as the others, and at least one; got "
            f"{sorted(lengths)} frames of {len(images)} scenes"
        )
    stacked = np.stack([np.stack(row) for row in images])
    if stacked.dtype != np.uint8 or stacked.shape[2:] != (size, size, 3):
        raise ArmillaryError(
            f"the model was trained on uint8 images ({size}, {size}, 3), "
            f"got {stacked.dtype} {stacked.shape[2:]}"
        )
    return torch.from_numpy(stacked).to(device).permute(0, 1, 4, 2, 3).float() / 255.0
