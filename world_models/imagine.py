"""The one core that encodes, imagines and decodes: memory is bounded, precision decided, here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, TypeVar

import torch
from torch import Tensor

from armillary.errors import ArmillaryError, RunError
from armillary.world_models.device import check_precision, computing_in
from armillary.world_models.model import WorldModel
from armillary.world_models.replay.recordings import is_recording
from armillary.world_models.state import LatentState, Scene, State

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Budget:
    """How much is computed at a time.

    Attributes:
        pixels: of all slots together, that are decoded or encoded at a time.
        bytes: of states and of the frames that they decode to, that are imagined at a time.
    """

    pixels: int
    bytes: int

    @property
    def half(self) -> Budget:
        """Half of each."""
        return Budget(self.pixels // 2, self.bytes // 2)


CPU = Budget(pixels=2**21, bytes=2**28)
ACCELERATOR = Budget(pixels=2**24, bytes=2**29)
"""Larger, since an accelerator waits for every launch."""


_LEAST = 2**10
"""Pixels below which a budget is one image at a time whatever the model."""
_PAIR = 32
"""Pixels whose features take about as much memory as those of a pair of slots."""


def _within_memory(
    method: Callable[Concatenate[Imaginer[State], P], R],
) -> Callable[Concatenate[Imaginer[State], P], R]:
    @wraps(method)
    def again(self: Imaginer[State], *given: P.args, **named: P.kwargs) -> R:
        return self.within_memory(lambda: method(self, *given, **named))

    return again


class Imaginer(Generic[State]):
    """Runs a world model in pieces that bound the memory, at one precision.

    What it computes does not depend on the pieces but for rounding. Gradients are recorded where
    the caller has them enabled. It reads slots, positions and scenes for ``View`` and ``Rollout``.

    Args:
        model: on its device, in evaluation mode.
        precision: ``float32``, ``tf32`` (cuda) or ``bf16``; what leaves the core is float32.
        compile: whether ``torch.compile`` prepares the model's step: once, for any horizon and any
            number of candidates.
        budget: by default that of the model's device.

    Raises:
        ArmillaryError: there is no such precision, or the device lacks it.
    """

    def __init__(
        self,
        model: WorldModel[State],
        precision: str = "float32",
        compile: bool = False,
        budget: Budget | None = None,
    ) -> None:
        check_precision(precision, model.action_mean.device)
        if precision == "fp16":
            raise ArmillaryError("precision=fp16 is for training; choose float32, tf32 or bf16")
        self.model = model
        self._precision = precision
        self._step = torch.compile(model.step, dynamic=True) if compile else model.step
        self._budget = budget

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.action_mean.device

    def within_memory(self, compute: Callable[[], R]) -> R:
        """What ``compute`` returns; where the device has too little memory, with half the budget.

        What is recorded is given up instead: it runs as it is where memory is too short for that.

        Raises:
            OutOfMemoryError: it has too little to record.
            RunError: it has too little for the least that can be computed at a time.
        """
        while True:
            try:
                return compute()
            except torch.OutOfMemoryError as error:
                if is_recording():
                    raise
                reason = str(error).partition("\n")[0]
            half = self._limits.half  # after the exception is gone, and what it holds
            if half.pixels < _LEAST:
                raise RunError(
                    f"{self.device} has too little memory for {type(self.model).__name__} with "
                    f"{self.model.num_slots} slots of {self.model.image_size} x "
                    f"{self.model.image_size} pixels, one at a time: {reason} Free some of it, "
                    "look ahead fewer steps, or use device=cpu"
                )
            self._budget = half
            logger.warning(
                "%s ran out of memory; from now on half as much is computed at a time (%d pixels, "
                "%d MiB of states)", self.device, half.pixels, half.bytes // 2**20
            )  # fmt: skip

    @_within_memory
    def observe(self, state: State | None, action: Tensor, frame: Tensor) -> State:
        """The belief after one more frame, see ``WorldModel.observe``: (N, ...)."""
        with self._autocast():
            return _joined(
                [
                    _single(self.model.observe(_rows(state, rows), action[rows], frame[rows]))
                    for rows in self._pieces(len(frame))
                ]
            )

    def filter(self, frames: Tensor, actions: Tensor, previous: Tensor | None = None) -> State:
        """The posterior of every frame, see ``WorldModel.filter``: (N, T, ...)."""
        return self._infer(self.model.filter, frames, actions, previous)

    def encode(self, frames: Tensor, actions: Tensor, previous: Tensor | None = None) -> State:
        """The posterior after a context, see ``WorldModel.encode``: (N, ...)."""
        return self._infer(self.model.encode, frames, actions, previous)

    @_within_memory
    def _infer(
        self,
        function: Callable[[Tensor, Tensor, Tensor | None], State],
        frames: Tensor,
        actions: Tensor,
        previous: Tensor | None,
    ) -> State:
        parts = []
        with self._autocast():
            for rows in self._pieces(len(frames)):
                before = None if previous is None else previous[rows]
                parts.append(_single(function(frames[rows], actions[rows], before)))
        return _joined(parts)

    @_within_memory
    def rollout(self, state: State, actions: Tensor, noise: Tensor | None = None) -> State:
        """Imagines open loop, see ``WorldModel.rollout``: (N, T, ...)."""
        parts = []
        horizon = actions.shape[1]
        with self._autocast():
            for rows in self._steps(len(actions), horizon * _bytes(state)):
                now, states = state.index(rows), []
                for t in range(horizon):
                    drawn = None if noise is None else noise[rows, t]
                    now = _single(self._step(now, actions[rows, t], drawn))
                    states.append(now)
                parts.append(type(now).stack(states, dim=1))
        return _joined(parts)

    def slots(self, state: State) -> Tensor:
        """(N, K, D): one vector per slot."""
        with self._autocast():
            return _float(self.model.slots(state))

    @_within_memory
    def positions(self, state: State) -> Tensor:
        """(N, K, 2): where each slot is seen."""
        with self._autocast():
            parts = [
                _float(self.model.positions(state.index(rows))) for rows in self._pieces(len(state))
            ]
        return _concatenated(parts)

    def orientations(self, state: State) -> Tensor:
        """(N, K, O): how things lie. Raises ArmillaryError for models that do not tell."""
        with self._autocast():
            return _float(self.model.orientations(state))

    @_within_memory
    def handles(self, state: State) -> Tensor:
        """(N, K, P): where things can be taken. Raises ArmillaryError where that is not told."""
        with self._autocast():
            parts = [
                _float(self.model.handles(state.index(rows)))
                for rows in self._steps(len(state), _bytes(state))
            ]
        return _concatenated(parts)

    @_within_memory
    def decode(self, state: State) -> Scene:
        """The scenes of N states; they lie in memory together."""
        scenes = list(self._scenes(state))
        return Scene(
            _concatenated([scene.components for scene in scenes]),
            _concatenated([scene.masks for scene in scenes]),
        )

    def frames(self, state: State) -> Tensor:
        """(N, 3, H, W): the composed images of N states."""
        return self.decoded(state, lambda scene: scene.frames)

    def masks(self, state: State) -> Tensor:
        """(N, K, 1, H, W): where slots are seen."""
        return self.decoded(state, lambda scene: scene.masks)

    @_within_memory
    def decoded(self, state: State, of: Callable[[Scene], Tensor]) -> Tensor:
        """What is to be known ``of`` the scenes of N states, (N, ...); a few lie in memory."""
        return _concatenated([of(scene) for scene in self._scenes(state)])

    def candidates_at_once(self, state: State, states: int) -> int:
        """How many candidates fit the budget, each of which has that many states."""
        frame = 3 * 4 * self.model.image_size**2
        return max(1, self._limits.bytes // (states * (_bytes(state) + frame)))

    def _scenes(self, state: State) -> Iterator[Scene]:
        for rows in self._pieces(len(state)):
            with self._autocast():
                scene = self.model.decode(state.index(rows))
            yield scene.map(_float)

    def _pieces(self, count: int) -> list[slice]:
        """Rows that are decoded or encoded at a time."""
        return _slices(count, self._limits.pixels // (self.model.num_slots * self._image))

    def _steps(self, count: int, bytes_each: int) -> list[slice]:
        """Rows that are stepped at a time, whose states take so many bytes each."""
        model, limits = self.model, self._limits
        pixels = self._image if model.steps_decode else _PAIR * model.num_slots
        size = limits.pixels // (model.num_slots * pixels)
        return _slices(count, min(size, limits.bytes // bytes_each))

    @property
    def _image(self) -> int:
        return self.model.image_size**2

    @property
    def _limits(self) -> Budget:
        return self._budget or (CPU if self.device.type == "cpu" else ACCELERATOR)

    def _autocast(self) -> AbstractContextManager[None]:
        return computing_in(self._precision, self.device)


def _float(tensor: Tensor) -> Tensor:
    """Widens what autocast narrowed."""
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor


def _rows(state: State | None, rows: slice) -> State | None:
    return None if state is None else state.index(rows)


def _single(state: State) -> State:
    return state.map(_float)


def _slices(count: int, size: int) -> list[slice]:
    size = max(1, size)
    return [slice(first, first + size) for first in range(0, max(1, count), size)]


def _bytes(state: LatentState) -> int:
    """Of one of N states."""
    return sum(tensor[:1].numel() * tensor.element_size() for tensor in state.tensors().values())


def _joined(parts: list[State]) -> State:
    return parts[0] if len(parts) == 1 else type(parts[0]).cat(parts)


def _concatenated(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
