"""Pictures: what models make of frames, as bytes that can be stored and drawn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[np.uint8]
"""(H, W, 3)."""


def quantised(values: Tensor) -> Tensor:
    """Numbers in [0, 1] as uint8 in 0..255, rounded."""
    return values.clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)


def pictures(frames: Tensor) -> Picture:
    """(..., 3, H, W) float in [0, 1] -> (..., H, W, 3) uint8, rounded."""
    return quantised(frames).movedim(-3, -1).contiguous().cpu().numpy()
