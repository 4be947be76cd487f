"""Cuts clips of a fixed length out of episodes and batches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from armillary.errors import ArmillaryError
from armillary.world_models.data.schema import DataError
from armillary.world_models.data.split import Episodes, Split
from armillary.world_models.model import Window

GIBIBYTE = 2**30


@dataclass(frozen=True)
class RawWindow:
    """A batch of clips as it is stored: a quarter of the bytes of a ``Window`` on the way to it.

    Attributes:
        frames: (N, T, H, W, 3) uint8.
        actions: (N, T - 1, A) float32.
        labels: (N, T, H, W) uint8, or (N, T, 0, 0) where there are none.
        previous: (N, A) float32, the action that led to the first frame; zeros where an episode
            starts.
    """

    frames: Tensor
    actions: Tensor
    labels: Tensor
    previous: Tensor

    def to_window(self, device: torch.device | str = "cpu") -> Window:
        """Moves the clips to ``device`` and makes float32 channel-first frames in [0, 1] there."""
        frames, actions, labels, previous = (
            tensor.to(device, non_blocking=True)
            for tensor in (self.frames, self.actions, self.labels, self.previous)
        )
        # Permuting bytes before they become floats moves a quarter of the memory.
        planes = frames.permute(0, 1, 4, 2, 3).contiguous()
        return Window(planes.float().div_(255.0), actions, labels.long(), previous)

    def pin_memory(self) -> RawWindow:
        """The same clips in page-locked memory."""
        return RawWindow(
            self.frames.pin_memory(),
            self.actions.pin_memory(),
            self.labels.pin_memory(),
            self.previous.pin_memory(),
        )


class WindowDataset(Dataset[RawWindow]):
    """Every window of ``length`` frames of a split, in the order of episodes and starts.

    An item is a batch of one; a list of indices is read as one batch (``batch``). With a stride of
    k a window takes every k-th frame, and the action between two taken frames is the sum of the k
    actions between them: right for actions that displace something, wrong for others. The previous
    action of a window is likewise the sum of the k actions before it, fewer near the start.

    Args:
        split: the episodes.
        length: T of the windows.
        stride: in frames of the episode.
        labels: whether to read the ground-truth segmentation where there is one.
        in_memory: whether to read the whole split once; "auto" does so up to ``memory_limit``.
            Data sets of several lengths over one ``Split`` object share that memory.
        memory_limit: in bytes.

    Raises:
        ArmillaryError: length or stride is below 1.
        DataError: the windows are longer than the episodes.
    """

    def __init__(
        self,
        split: Split,
        length: int,
        stride: int = 1,
        *,
        labels: bool = True,
        in_memory: bool | Literal["auto"] = "auto",
        memory_limit: int = GIBIBYTE,
    ) -> None:
        if length < 1 or stride < 1:
            raise ArmillaryError(
                f"length and stride of windows must be at least 1, got {length} and {stride}"
            )
        self.split = split
        self.length = length
        self.stride = stride
        self.labels = labels and split.has_masks
        self.in_memory = (
            split.nbytes(self.labels) <= memory_limit if in_memory == "auto" else in_memory
        )
        self.span = (length - 1) * stride + 1
        self.starts = split.length - self.span + 1
        if self.starts < 1:
            raise DataError(
                split.path,
                f"windows of {length} frames with stride {stride} span {self.span} frames, but "
                f"the episodes of split {split.name!r} have {split.length}",
            )

    def __len__(self) -> int:
        """How many windows there are: episodes x starts."""
        return len(self.split) * self.starts

    def __getitem__(self, index: int) -> RawWindow:
        return self.batch([index])

    def __getitems__(self, indices: Sequence[int]) -> RawWindow:
        """What ``DataLoader`` calls for a batch."""
        return self.batch(indices)

    def batch(self, indices: Sequence[int]) -> RawWindow:
        """The windows ``indices``; ``index`` is episode * starts + start.

        Raises:
            IndexError: an index is not in 0 .. len - 1.
        """
        source: Episodes = self.split.load(self.labels) if self.in_memory else self.split
        count, size = len(indices), self.split.info.image_size
        area = size if self.labels else 0
        episodes, starts = np.divmod(np.array(indices, int), self.starts)
        wrong = (episodes < 0) | (episodes >= len(self.split))
        if wrong.any():
            raise IndexError(
                f"window must be in 0..{len(self) - 1}, got {indices[int(wrong.argmax())]}"
            )
        frames = np.empty((count, self.length, size, size, 3), np.uint8)
        labels = np.empty((count, self.length, area, area), np.uint8)
        for row, (episode, start) in enumerate(
            zip(episodes.tolist(), starts.tolist(), strict=True)
        ):
            stop = start + self.span
            frames[row] = source.frames(episode, start, stop)[:: self.stride]
            if self.labels:
                labels[row] = source.labels(episode, start, stop)[:: self.stride]
        actions = self._actions(episodes, starts)
        previous, following = np.split(actions, [self.stride], 1)
        arrays = (frames, sum_strides(following, self.stride), labels, previous.sum(1))
        return RawWindow(*map(torch.from_numpy, arrays))

    def _actions(self, episodes: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """(N, stride + span - 1, A): those of windows and before them, zeros before an episode."""
        steps = starts[:, None] + np.arange(-self.stride, self.span - 1)
        every = self.split.all_actions
        rows, there = np.broadcast_to(episodes[:, None], steps.shape), steps >= 0
        taken = np.zeros((*steps.shape, every.shape[2]), np.float32)
        taken[there] = every[rows[there], steps[there]]
        return taken


def sum_strides(actions: np.ndarray, stride: int) -> np.ndarray:
    """Adds up each ``stride`` actions in a row: (..., n * stride, A) -> (..., n, A)."""
    *leading, steps, size = actions.shape
    return actions.reshape(*leading, steps // stride, stride, size).sum(-2)
