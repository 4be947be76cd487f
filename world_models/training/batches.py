"""What one training step is computed from: clips of frames, or states that were encoded once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from armillary.world_models.data import (
    Split,
    WindowDataset,
    step_indices,
    training_batches,
)
from armillary.world_models.data.windows import RawWindow
from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.state import LatentState
from armillary.world_models.training.engine import Share
from armillary.world_models.training.schedule import Stage


class Batch(Protocol):
    """N clips, whatever they are made of."""

    def losses(self, model: WorldModel, objective: str, step: int) -> Losses:
        """The model's loss of the clips."""
        ...

    def parts(self, count: int) -> list[Batch]:
        """The clips in ``count`` batches of equal size."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything in it by name, for a file."""
        ...


@dataclass(frozen=True)
class FrameBatch:
    """Clips of frames.

    Attributes:
        window: frames (N, T, 3, H, W) and actions (N, T - 1, A).
    """

    window: Window

    def losses(self, model: WorldModel, objective: str, step: int) -> Losses:
        """``model.loss``."""
        return model.loss(self.window, objective, step)

    def parts(self, count: int) -> list[Batch]:
        """The clips in ``count`` batches of equal size."""
        rows = torch.arange(len(self.window.frames)).chunk(count)
        return [FrameBatch(self.window.index(slice(row[0], row[-1] + 1))) for row in rows]

    def tensors(self) -> dict[str, Tensor]:
        """Frames, actions, and the previous actions where the window has them."""
        tensors = {"frames": self.window.frames, "actions": self.window.actions}
        if self.window.previous is not None:
            tensors["previous"] = self.window.previous
        return tensors


@dataclass(frozen=True)
class StateBatch:
    """Clips of encoded states.

    Attributes:
        states: what ``filter`` returned, tensors shaped (N, T, ...).
        actions: (N, T - 1, A).
    """

    states: LatentState
    actions: Tensor

    def losses(self, model: WorldModel, objective: str, step: int) -> Losses:
        """``model.latent_loss``."""
        return model.latent_loss(self.states, self.actions, objective, step)

    def parts(self, count: int) -> list[Batch]:
        """The clips in ``count`` batches of equal size."""
        size = len(self.actions) // count
        rows = [slice(start, start + size) for start in range(0, len(self.actions), size)]
        return [StateBatch(self.states.index(row), self.actions[row]) for row in rows]

    def tensors(self) -> dict[str, Tensor]:
        """The states' fields and the actions."""
        return {**self.states.tensors(), "actions": self.actions}


class SharedWindows(WindowDataset):
    """Of each batch that is asked for, the clips that are a process's own; no others are read.

    Args:
        split: the episodes.
        stage: length and stride.
        share: of the process.
    """

    def __init__(self, split: Split, stage: Stage, share: Share) -> None:
        super().__init__(split, stage.length, stage.stride, labels=False)
        self._share = share

    def __getitems__(self, indices: Sequence[int]) -> RawWindow:
        return self.batch(indices[self._share.rows(len(indices))])


def stage_batches(
    model: WorldModel,
    split: Split,
    stage: Stage,
    *,
    seed: int,
    first_step: int = 0,
    workers: int = 0,
    share: Share | None = None,
    encoded: StateBatch | None = None,
) -> Iterator[Batch]:
    """The batches that a stage trains on, from ``first_step`` on, without end.

    Random clips, on the model's device; which ones depends on the seed and the step alone, and of
    several processes each gets its share of them.

    Args:
        model: that is trained.
        split: the episodes.
        stage: batch size, length and stride.
        seed: >= 0.
        first_step: where to begin.
        workers: processes that read clips; 0 reads in this one.
        share: of this process; None is all of each batch.
        encoded: the whole split; clips of it are drawn instead of frames.
    """
    share = share or Share()
    if encoded is not None:
        return _state_batches(encoded, stage, seed, first_step, share)
    device = model.action_mean.device
    raw = training_batches(
        SharedWindows(split, stage, share),
        batch_size=stage.batch_size,
        seed=seed,
        first_step=first_step,
        last_step=sys.maxsize,
        workers=workers,
        pin_memory=device.type == "cuda",
    )
    return (FrameBatch(batch.to_window(device)) for batch in raw)


def _state_batches(
    encoded: StateBatch, stage: Stage, seed: int, first_step: int, share: Share
) -> Iterator[Batch]:
    episodes, steps = encoded.actions.shape[:2]
    starts = steps + 2 - stage.length
    for step in range(first_step, sys.maxsize):
        drawn = step_indices(seed, step, stage.batch_size, episodes * starts)
        own = drawn[share.rows(stage.batch_size)]
        windows = torch.tensor(own, device=encoded.actions.device).unsqueeze(1)
        rows, times = windows // starts, windows % starts
        times = times + torch.arange(stage.length, device=times.device)
        yield StateBatch(
            encoded.states.map(lambda tensor, rows=rows, times=times: tensor[rows, times]),
            encoded.actions[rows, times[:, :-1]],
        )
