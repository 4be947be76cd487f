"""Reads quantities off states by replaying recordings, where that saves launches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic

import torch
from torch import Tensor

from armillary.world_models.imagine import Imaginer
from armillary.world_models.replay.recordings import Recordings, Tensors, leaves, regrown
from armillary.world_models.state import Scene, State

_FEW = 64
"""States, of more of which nothing is recorded: launches are no matter then, results are large."""


class RecordedReader(Generic[State]):
    """A ``Reader`` of what a core reads, through recordings.

    Slots and orientations are few launches, fewer than a recording copies tensors. Where gradients
    are wanted, or many states are read at once, nothing is recorded.

    Args:
        core: reads.
        recordings: those of its simulator.
    """

    def __init__(self, core: Imaginer[State], recordings: Recordings) -> None:
        self._core = core
        self._recordings = recordings
        self.slots = core.slots
        self.orientations = core.orientations

    def positions(self, state: State) -> Tensor:
        """See ``Reader``."""
        return self._read("positions", state, lambda state: (self._core.positions(state),))[0]

    def handles(self, state: State) -> Tensor:
        """See ``Reader``."""
        return self._read("handles", state, lambda state: (self._core.handles(state),))[0]

    def decode(self, state: State) -> Scene:
        """See ``Reader``."""

        def decoded(state: State) -> Tensors:
            scene = self._core.decode(state)
            return scene.components, scene.masks

        return Scene(*self._read("a scene", state, decoded))

    def frames(self, state: State) -> Tensor:
        """See ``Reader``."""
        return self._read("frames", state, lambda state: (self._core.frames(state),))[0]

    def masks(self, state: State) -> Tensor:
        """See ``Reader``."""
        return self._read("masks", state, lambda state: (self._core.masks(state),))[0]

    def _read(self, what: str, state: State, read: Callable[[State], Tensors]) -> Tensors:
        if torch.is_grad_enabled() or len(state) > _FEW:
            return read(state)
        return self._recordings.call(
            f"reading {what} of {type(self._core.model).__name__}",
            partial(read, state),
            lambda *tensors: read(regrown(state, tensors)),
            leaves(state),
            self._core,
        )
