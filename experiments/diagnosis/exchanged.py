"""A model beside the true physics: what both exchanges of a part have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.oracle import (
    OracleSimulator,
    Physics,
    PhysicsState,
    scored_in_pieces,
)
from armillary.world_models.simulator import (
    Goal,
    Observation,
    RoleFinder,
    Roles,
    Rollout,
    ScoreRollouts,
    Simulator,
    View,
    checked_actions,
)
from armillary.world_models.state import LatentState

_STATES_AT_ONCE = 4096


class Strides:
    """Physics whose every action takes ``stride`` steps, for models that act so; a ``Physics``."""

    def __init__(self, physics: Physics, stride: int) -> None:
        self.physics, self.stride = physics, stride
        self.action_size = physics.action_size

    def simulate(self, scene: NDArray[np.float64], actions: NDArray) -> NDArray[np.float64]:
        """See ``Physics``."""
        parts = np.repeat(actions / self.stride, self.stride, 0)
        return self.physics.simulate(scene, parts)[self.stride - 1 :: self.stride]

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Physics``."""
        return self.physics.poses(scenes)

    def roles(self, scene: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """See ``Physics``."""
        return self.physics.roles(scene)

    def draw(self, scene: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``Physics``."""
        return self.physics.draw(scene)


@dataclass(frozen=True)
class Known(LatentState):
    """N beliefs, and what is true; the latter stays on the CPU.

    Attributes:
        belief: of the model.
        scene: (N, n) float64, snapshots.
        shown: (N, K) int64, the slot that shows each true thing, -1 for none.
    """

    belief: Any
    scene: Tensor
    shown: Tensor

    def map(self, function: Any) -> Self:
        """See ``LatentState``."""
        return type(self)(self.belief.map(function), function(self.scene), function(self.shown))

    def index(self, rows: Tensor | slice | Sequence[int]) -> Self:
        """See ``LatentState``; the rows may lie on another device."""
        here = rows.cpu() if isinstance(rows, Tensor) else rows
        return type(self)(self.belief.index(rows), self.scene[here], self.shown[here])

    def tensors(self) -> dict[str, Tensor]:
        """See ``LatentState``."""
        return {**self.belief.tensors(), "scene": self.scene, "shown": self.shown}

    @property
    def truth(self) -> PhysicsState:
        """The true states."""
        return PhysicsState(self.scene)


class Exchanged(ABC):
    """A ``Simulator`` of which one part is true; observations carry ``state``.

    Args:
        model: what is diagnosed.
        oracle: the true physics; closed by whoever made it.
        physics: the same, to be drawn.
    """

    def __init__(self, model: Simulator, oracle: OracleSimulator, physics: Physics) -> None:
        self.model, self.oracle, self.physics = model, oracle, physics
        self.context_length, self.action_size = model.context_length, model.action_size
        self.device = model.device

    @property
    def identity(self) -> str:
        """The model's: what was learnt from its slots still fits."""
        return self.model.identity

    def observe(
        self, state: Known | None, actions: np.ndarray, observations: Sequence[Observation]
    ) -> Known:
        """See ``Simulator``."""
        before = None if state is None else state.belief
        belief = self.model.observe(before, actions, observations)
        scene = self.oracle.observe(None, actions, observations).scene
        shown = self.shown(belief, scene) if state is None else state.shown
        return Known(belief, scene, shown)

    def encode(self, histories: Sequence[Sequence[Observation]], actions: np.ndarray) -> Known:
        """See ``Simulator``."""
        belief = self.model.encode(histories, actions)
        scene = self.oracle.encode(histories, actions).scene
        return Known(belief, scene, self.shown(belief, scene))

    def shown(self, belief: LatentState, scene: Tensor) -> Tensor:
        """(N, K): which slot shows which thing; nobody asks, unless said otherwise."""
        return torch.empty(len(scene), 0, dtype=torch.long)

    def view(self, state: Known) -> View:
        """See ``Simulator``."""
        return self.model.view(state.belief)

    def roles(self, state: Known, find: RoleFinder) -> Roles:
        """See ``Simulator``."""
        return self.model.roles(state.belief, find)

    def goal(self, state: Known, observations: Sequence[Observation], find: RoleFinder) -> Goal:
        """See ``Simulator``."""
        return self.model.goal(state.belief, observations, find)

    @abstractmethod
    def rollout(
        self,
        state: Known,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout:
        """See ``Simulator``."""

    def step(self, state: Known, actions: Tensor) -> Known:
        """See ``Simulator``: what is true is not stepped together with what is believed.

        Raises:
            ArmillaryError: always.
        """
        raise ArmillaryError("a planner that steps through states cannot be shown true ones")

    def score(
        self,
        state: Known,
        actions: Tensor,
        objective: ScoreRollouts,
        goal: Goal,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        """See ``Simulator``; every piece of the candidates meets the same noise."""
        actions = checked_actions(actions, len(state), self.action_size)
        at_once = max(1, _STATES_AT_ONCE // (actions.shape[0] * actions.shape[2]))
        return scored_in_pieces(self, state, actions, objective, goal, generators, at_once)

    def close(self) -> None:
        """See ``Simulator``."""
        self.model.close()
