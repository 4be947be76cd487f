"""Some frames of the data, which a model is shown before it is trained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from armillary.world_models.data import Split
from armillary.world_models.model import WorldModel


def survey(model: WorldModel, split: Split) -> None:
    """Shows a model as many frames of a split as it wants, evenly over episodes and time."""
    total = len(split) * split.length
    count = min(model.surveyed, total)
    if not count:
        return
    chosen = np.linspace(0, total - 1, count).round().astype(int)
    frames = [
        split.frames(i // split.length, i % split.length, i % split.length + 1) for i in chosen
    ]
    model.survey(scaled(np.concatenate(frames)).to(model.action_mean.device))


def scaled(frames: np.ndarray) -> Tensor:
    """(F, H, W, 3) uint8 -> (F, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255.0
