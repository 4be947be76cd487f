"""The simulator contract: what planners query, be it a learned model or the true physics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol

import numpy as np
import torch
from torch import Tensor

from armillary.world_models.state import Scene, State

Observation = Mapping[str, Any]
"""One environment's observation: the Dict space's arrays, and ``state`` for oracle simulators."""


class Reader(Protocol):
    """Reads quantities off N states; a ``WorldModel`` is one."""

    def slots(self, state: Any) -> Tensor:
        """(N, K, D)."""
        ...

    def positions(self, state: Any) -> Tensor:
        """(N, K, 2) in [0, 1] of the image."""
        ...

    def decode(self, state: Any) -> Scene:
        """Components (N, K, 3, H, W) and masks (N, K, 1, H, W)."""
        ...


class Rollout(Generic[State]):
    """Imagined states, read on first use: slot costs never decode, two pixel costs decode once.

    Args:
        state: tensors shaped (N, ...), N being the product of ``shape``.
        shape: the leading dimensions, (B, S, P, T) for a rollout and (B,) for single states.
        reader: what reads slots, positions and scenes off the states.
        chunk: how many states are decoded at a time.
    """

    def __init__(
        self, state: State, shape: tuple[int, ...], reader: Reader, chunk: int = 1024
    ) -> None:
        self.state = state
        self.shape = shape
        self._reader = reader
        self._chunk = chunk

    @cached_property
    def slots(self) -> Tensor:
        """(\\*shape, K, D)."""
        with torch.no_grad():
            return self._unflatten(self._reader.slots(self.state))

    @cached_property
    def positions(self) -> Tensor:
        """(\\*shape, K, 2): x right and y down, in [0, 1] of the image."""
        with torch.no_grad():
            return self._unflatten(self._reader.positions(self.state))

    @cached_property
    def scene(self) -> Scene:
        """Components (\\*shape, K, 3, H, W) and masks (\\*shape, K, 1, H, W)."""
        with torch.no_grad():
            parts = [
                self._reader.decode(self.state.index(slice(start, start + self._chunk)))
                for start in range(0, len(self.state), self._chunk)
            ]
        return Scene(
            self._unflatten(torch.cat([part.components for part in parts])),
            self._unflatten(torch.cat([part.masks for part in parts])),
        )

    @property
    def frames(self) -> Tensor:
        """(\\*shape, 3, H, W) float32 in [0, 1]."""
        return self.scene.frames

    def _unflatten(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(*self.shape, *tensor.shape[1:])


@dataclass(frozen=True)
class Goal(Generic[State]):
    """Where B planning problems should end, and how their slots relate to the goal's.

    Attributes:
        view: the goal's states, ``shape`` (B,): slots (B, K, D), positions (B, K, 2), frames.
        assignment: (B, K) int64; the goal's slot that shows the same thing as the start's slot k.
        objects: (B, K) float32; 1 for the start's slots that are things to be placed, 0 for the
            background, for empty slots and for the effector.
        effector: (B, K) float32; 1 for the start's slot that the actions move directly, else 0.
    """

    view: Rollout[State]
    assignment: Tensor
    objects: Tensor
    effector: Tensor

    @cached_property
    def positions(self) -> Tensor:
        """(B, K, 2): the goal position of each of the start's slots."""
        return self.view.positions.gather(1, self.assignment.unsqueeze(-1).expand(-1, -1, 2))

    def index(self, rows: Tensor) -> Goal[State]:
        """The goals of some of the problems."""
        view = Rollout(
            self.view.state.index(rows), (len(rows),), self.view._reader, self.view._chunk
        )
        return Goal(view, self.assignment[rows], self.objects[rows], self.effector[rows])


class Simulator(Protocol[State]):
    """Answers "what if" for B planning problems at once.

    Attributes:
        context_length: C, how many past observations ``encode`` wants.
        action_size: A.
        device: where states live and costs are computed.
    """

    context_length: int
    action_size: int
    device: torch.device

    def encode(self, histories: Sequence[Sequence[Observation]], actions: np.ndarray) -> State:
        """The present state of B problems.

        Args:
            histories: per problem its last C observations, oldest first.
            actions: (B, C - 1, A) float32, the actions between them.
        """
        ...

    def goal(self, state: State, observations: Sequence[Observation]) -> Goal[State]:
        """The goals that B observations pose, related to the slots of ``state``."""
        ...

    def rollout(
        self,
        state: State,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[State]:
        """Imagines S candidates for each problem.

        Args:
            state: B states.
            actions: (B, S, T, A) in the environment's units.
            generators: one per problem, needed by simulators with several particles.

        Returns:
            A rollout of shape (B, S, P, T).
        """
        ...
