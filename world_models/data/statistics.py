"""Mean and deviation of the actions of a split, for their normalisation."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.data.split import Split

log = logging.getLogger(__name__)

_ROUNDING = 1e-6
"""A spread below this share of the greatest value is taken for rounding: nothing varies."""
_DOMINANT = 100.0
"""An episode that leaves the median so many times as far as others do is named."""


@dataclass(frozen=True)
class ActionStatistics:
    """Moments over all actions.

    Attributes:
        mean: (A,) float32.
        std: (A,) float32, population standard deviation; 1 for a number that does not vary.
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
    _warn_of_outliers(split)
    totals = split.all_actions.astype(np.float64).cumsum(1)
    totals = np.concatenate([np.zeros_like(totals[:, :1]), totals], 1)
    sums = totals[:, stride:] - totals[:, :-stride]
    std = sums.std((0, 1))
    smallest = np.maximum(_ROUNDING * abs(sums).max((0, 1)), np.finfo(np.float32).tiny)
    return ActionStatistics(
        torch.from_numpy(sums.mean((0, 1)).astype(np.float32)),
        torch.from_numpy(np.where(std > smallest, std, 1.0).astype(np.float32)),
    )


def _warn_of_outliers(split: Split) -> None:
    """Names the episode whose actions are so large that beside them all others look alike."""
    for number in range(split.info.action_size):
        actions = split.all_actions[..., number]
        apart = abs(actions - np.median(actions))
        reached = apart.max(1)
        usual = np.median(reached[reached > 0]) if reached.any() else 0.0
        episode = int(reached.argmax())
        if reached[episode] > _DOMINANT * usual:
            step = int(apart[episode].argmax())
            log.warning(
                "%s: number %d of action %d of episode %d of %r is %g, where those of other "
                "episodes are within %g of their median: beside it they hardly count",
                split.path,
                number,
                step,
                episode,
                split.name,
                actions[episode, step],
                usual,
            )
