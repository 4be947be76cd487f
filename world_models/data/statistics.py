"""Mean and deviation of the actions of a split, for their normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.data.split import Split


@dataclass(frozen=True)
class ActionStatistics:
    """Moments over all actions.

    Attributes:
        mean: (A,) float32.
        std: (A,) float32, population standard deviation.
    """

    mean: Tensor
    std: Tensor


def action_statistics(split: Split, stride: int = 1) -> ActionStatistics:
    """The moments of the actions that windows of a stride hold (sums of ``stride`` actions).

    Raises:
        ArmillaryError: the stride is below 1 or no episode has that many actions.
    """
    steps = split.length - 1
    if not 1 <= stride <= steps:
        raise ArmillaryError(
            f"stride must be in 1..{steps}, the actions of an episode of split {split.name!r} "
            f"({split.path}); got {stride}"
        )
    totals = split.all_actions.astype(np.float64).cumsum(1)
    totals = np.concatenate([np.zeros_like(totals[:, :1]), totals], 1)
    sums = totals[:, stride:] - totals[:, :-stride]
    return ActionStatistics(
        torch.from_numpy(sums.mean((0, 1)).astype(np.float32)),
        torch.from_numpy(sums.std((0, 1)).astype(np.float32)),
    )
