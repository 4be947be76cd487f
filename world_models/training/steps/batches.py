"""What one training step is computed from: clips of frames, or states that were encoded once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

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
from armillary.world_models.training.steps.arrival import arriving
from armillary.world_models.training.steps.resident import ResidentWindows, fits


class Batch(Protocol):
    """N clips, whatever they are made of."""

    def losses(self, model: WorldModel, objective: str, step: int | Tensor) -> Losses:
        """The model's loss of the clips."""
        ...

    def parts(self, count: int) -> list[Batch]:
        """The clips in ``count`` batches of equal size."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything in it by name, for a file."""
        ...

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies ``function`` to every tensor."""
        ...


@dataclass(frozen=True)
class FrameBatch:
    """Clips of frames.

    Attributes:
        window: frames (N, T, 3, H, W) and actions (N, T - 1, A).
    """

    window: Window

    def losses(self, model: WorldModel, objective: str, step: int | Tensor) -> Losses:
        """``model.loss``."""
        return model.loss(self.window, objective, step)

    def parts(self, count: int) -> list[Batch]:
        """The clips in ``count`` batches of equal size."""
        return [
            FrameBatch(self.window.index(rows)) for rows in _parts(len(self.window.frames), count)
        ]

    def tensors(self) -> dict[str, Tensor]:
        """Frames, actions, and the previous actions where the window has them."""
        tensors = {"frames": self.window.frames, "actions": self.window.actions}
        if self.window.previous is not None:
            tensors["previous"] = self.window.previous
        return tensors

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies ``function`` to every tensor."""
        return replace(self, window=self.window.map(function))


@dataclass(frozen=True)
class StateBatch:
    """Clips of encoded states.

    Attributes:
        states: what ``filter`` returned, tensors shaped (N, T, ...).
        actions: (N, T - 1, A).
    """

    states: LatentState
    actions: Tensor

    def losses(self, model: WorldModel, objective: str, step: int | Tensor) -> Losses:
        """``model.latent_loss``."""
        return model.latent_loss(self.states, self.actions, objective, step)

    def parts(self, count: int) -> list[Batch]:
        """The clips in ``count`` batches of equal size."""
        pieces = _parts(len(self.actions), count)
        return [StateBatch(self.states.index(rows), self.actions[rows]) for rows in pieces]

    def tensors(self) -> dict[str, Tensor]:
        """The states' fields and the actions."""
        return {**self.states.tensors(), "actions": self.actions}

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies ``function`` to every tensor."""
        return replace(self, states=self.states.map(function), actions=function(self.actions))


def _parts(size: int, count: int) -> list[slice]:
    """Equal parts of ``size`` rows."""
    step = size // count
    return [slice(start, start + step) for start in range(0, size, step)]


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
    resident: bool | None = None,
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
        resident: whether all frames lie on the device; None where they fit.
    """
    share = share or Share()
    device = model.action_mean.device
    if encoded is not None:
        episodes, steps = encoded.actions.shape[:2]
        starts = steps + 2 - stage.length
        drawn = _drawn(seed, first_step, stage, episodes * starts, share, device)
        return (_states(encoded, stage, windows, starts) for windows in drawn)
    if fits(split, device) if resident is None else resident:
        dataset = WindowDataset(split, stage.length, stage.stride, labels=False)
        whole = ResidentWindows(dataset, device)
        drawn = _drawn(seed, first_step, stage, len(dataset), share, device)
        return (FrameBatch(whole.batch(windows).to_window(device)) for windows in drawn)
    raw = training_batches(
        SharedWindows(split, stage, share),
        batch_size=stage.batch_size,
        seed=seed,
        first_step=first_step,
        last_step=sys.maxsize,
        workers=workers,
        pin_memory=device.type == "cuda",
    )
    return (FrameBatch(window) for window in arriving(raw, device))


def _drawn(
    seed: int, first_step: int, stage: Stage, count: int, share: Share, device: torch.device
) -> Iterator[Tensor]:
    """(N,) of ``count`` windows, a process's own of every step, on the device."""
    for step in range(first_step, sys.maxsize):
        drawn = step_indices(seed, step, stage.batch_size, count)
        windows = torch.tensor(drawn[share.rows(stage.batch_size)])
        if device.type == "cuda":  # from pinned memory, so that nothing waits
            windows = windows.pin_memory()
        yield windows.to(device, non_blocking=device.type == "cuda")


def _states(encoded: StateBatch, stage: Stage, windows: Tensor, starts: int) -> StateBatch:
    rows, times = windows[:, None] // starts, windows[:, None] % starts
    times = times + torch.arange(stage.length, device=times.device)
    states = encoded.states.map(lambda tensor: tensor[rows, times])
    return StateBatch(states, encoded.actions[rows, times[:, :-1]])
