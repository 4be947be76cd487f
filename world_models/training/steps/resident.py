"""A split's frames and actions on a device, and windows that are cut out of them there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from armillary.world_models.data import Split, WindowDataset
from armillary.world_models.data.windows import RawWindow

_SHARE = 0.25
"""Of the device's free memory, at most that much for data."""


def fits(split: Split, device: torch.device) -> bool:
    """Whether a split should lie on a device: on one with memory of its own that has room."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return split.nbytes(labels=False) <= _SHARE * free


class ResidentWindows:
    """All windows of a data set, as ``WindowDataset.batch`` cuts them, without labels.

    Args:
        dataset: whose split is read once as a whole.
        device: where it then lies.
    """

    def __init__(self, dataset: WindowDataset, device: torch.device) -> None:
        split, stride = dataset.split, dataset.stride
        actions, size = split.all_actions, split.info.image_size
        episodes, steps, _ = actions.shape
        self._starts = dataset.starts
        self._times = torch.arange(dataset.length, device=device) * stride
        # What leads from a frame to the one a stride later, added in the order of time.
        summed = np.zeros((episodes, max(0, steps - stride + 1), actions.shape[2]), np.float32)
        for i in range(stride if summed.shape[1] else 0):
            summed += actions[:, i : i + summed.shape[1]]
        first = np.zeros((episodes, min(stride, dataset.starts), actions.shape[2]), np.float32)
        first[:, 1:] = actions[:, : first.shape[1] - 1].cumsum(1, dtype=np.float32)
        previous = np.concatenate([first, summed[:, : dataset.starts - first.shape[1]]], axis=1)
        shape = (episodes, split.length, size, size, 3)
        self._frames = torch.empty(shape, dtype=torch.uint8, device=device)
        for episode, frames in enumerate(self._frames):
            frames.copy_(torch.from_numpy(split.frames(episode)))
        self._actions = torch.from_numpy(summed).to(device)
        self._previous = torch.from_numpy(previous).to(device)

    def batch(self, indices: Tensor) -> RawWindow:
        """The windows ``indices`` (N,) int64, each episode * starts + start, on the device."""
        rows, starts = indices // self._starts, indices % self._starts
        times = starts[:, None] + self._times
        frames = self._frames[rows[:, None], times]
        return RawWindow(
            frames,
            self._actions[rows[:, None], times[:, :-1]],
            frames.new_zeros((*times.shape, 0, 0)),
            self._previous[rows, starts],
        )
