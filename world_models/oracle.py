"""OracleSimulator: the true physics behind the simulator interface, every benchmark's ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError, required
from armillary.physics import Physics, simulate
from armillary.pool import AHEAD, Pool, worker_count
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
from armillary.world_models.state import LatentState, Scene, State

_STATES_AT_ONCE = 8192
"""Of all candidates together, whose frames may be drawn."""


@dataclass(frozen=True)
class PhysicsState(LatentState):
    """N snapshots.

    Attributes:
        scene: (N, n) float64, as the environment's ``snapshot`` returns them.
    """

    scene: Tensor


class OracleSimulator:
    """Rolls the environment's own physics out on the CPU; observations must carry ``state``.

    Args:
        physics: of the task.
        workers: processes; 0 computes in this one, -1 takes one per processor.
        particles: P, futures of each candidate under the task's own noise, which is drawn once for
            all candidates of a problem; 1 imagines none. Without noise in the task P is 1, since
            all were the same.

    Raises:
        ArmillaryError: ``particles`` is less than 1.
    """

    context_length = 1

    def __init__(self, physics: Physics, workers: int = -1, particles: int = 1) -> None:
        if particles < 1:
            raise ArmillaryError(f"particles must be at least 1, got {particles}")
        self._action_noise: float = getattr(physics, "action_noise", 0.0)
        self.particles = particles if self._action_noise > 0.0 else 1
        self.device = torch.device("cpu")
        self.action_size = physics.action_size
        self.identity = type(physics).__qualname__
        self._physics = physics
        self._workers = worker_count(workers)
        self._pool = Pool(self._workers)

    def observe(
        self,
        state: PhysicsState | None,
        actions: np.ndarray,
        observations: Sequence[Observation],
    ) -> PhysicsState:
        """See ``Simulator``; reads ``state``, the snapshot, which is all there is to know."""
        return self._stack(observations, "state")

    def encode(
        self, histories: Sequence[Sequence[Observation]], actions: np.ndarray
    ) -> PhysicsState:
        """See ``Simulator``; reads ``state``, the snapshot."""
        return self._stack([history[-1] for history in histories], "state")

    def view(self, state: PhysicsState) -> View[PhysicsState]:
        """See ``Simulator``."""
        return View(state, (len(state),), self)

    def roles(self, state: PhysicsState, find: RoleFinder | None = None) -> Roles:
        """See ``Simulator``; the physics know, and ``find`` is not asked."""
        known = [self._physics.roles(scene) for scene in state.scene.numpy()]
        objects, effector = (
            torch.from_numpy(np.stack([role[i] for role in known])).float() for i in (0, 1)
        )
        return Roles(objects, effector)

    def goal(
        self,
        state: PhysicsState,
        observations: Sequence[Observation],
        find: RoleFinder | None = None,
    ) -> Goal[PhysicsState]:
        """See ``Simulator``; reads ``goal_state``, the goal's snapshot."""
        view = self.view(self._stack(observations, "goal_state"))
        roles = self.roles(view.state)
        assignment = torch.arange(roles.objects.shape[1]).expand(len(observations), -1)
        return Goal(view, assignment, roles.objects, roles.effector)

    def rollout(
        self,
        state: PhysicsState,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[PhysicsState]:
        """See ``Simulator``.

        Raises:
            ArmillaryError: the actions require gradients, which the true physics do not have, or
                particles lack their generators.
        """
        actions = checked_actions(actions, len(state), self.action_size)
        return self._imagine(state, actions, self._noise(actions, generators))

    def _noise(
        self, actions: Tensor, generators: Sequence[torch.Generator] | None
    ) -> Tensor | None:
        """(B, P, T, A) as it is added to actions; None for a single particle."""
        if self.particles == 1:
            return None
        problems, _, horizon, size = actions.shape
        if generators is None or len(generators) != problems:
            raise ArmillaryError(f"{self.particles} particles need one generator per problem")
        shape = (self.particles, horizon, size)
        drawn = [torch.randn(shape, generator=g, device=g.device).cpu() for g in generators]
        return self._action_noise * torch.stack(drawn)

    def _imagine(
        self, state: PhysicsState, actions: Tensor, noise: Tensor | None
    ) -> Rollout[PhysicsState]:
        if actions.requires_grad:
            raise ArmillaryError(
                "the true physics have no gradients; choose a planner that needs none, such as cem"
            )
        problems, candidates, horizon, _ = actions.shape
        taken = actions.unsqueeze(2).double()
        taken = taken if noise is None else taken + noise.unsqueeze(1)
        particles = taken.shape[2]
        scenes = np.repeat(state.tensors()["scene"].numpy(), candidates * particles, axis=0)
        flat = taken.flatten(0, 2).numpy()
        rows = np.array_split(np.arange(len(flat)), max(1, AHEAD * self._workers))
        jobs = [(self._physics, scenes[part], flat[part]) for part in rows if len(part)]
        results = self._pool.map(simulate, jobs)
        futures = torch.from_numpy(np.concatenate(list(results)))
        flat_state = PhysicsState(futures.flatten(0, 1))
        return Rollout(flat_state, (problems, candidates, particles, horizon), self, actions)

    def step(self, state: PhysicsState, actions: Tensor) -> PhysicsState:
        """See ``Simulator``. Raises ArmillaryError as ``rollout`` does."""
        candidates = checked_actions(actions[:, None, None], len(state), self.action_size)
        return self._imagine(state, candidates, None).state

    def score(
        self,
        state: PhysicsState,
        actions: Tensor,
        objective: ScoreRollouts[PhysicsState],
        goal: Goal[PhysicsState],
        generators: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        """See ``Simulator``."""
        actions = checked_actions(actions, len(state), self.action_size)
        states = actions.shape[0] * self.particles * actions.shape[2]
        at_once = max(1, _STATES_AT_ONCE // states)
        return scored_in_pieces(self, state, actions, objective, goal, generators, at_once)

    def slots(self, state: PhysicsState) -> Tensor:
        """(N, K, D) float32: the true poses."""
        poses = self._physics.poses(state.tensors()["scene"].numpy())
        return torch.from_numpy(poses).float()

    def positions(self, state: PhysicsState) -> Tensor:
        """(N, K, 2): the true positions."""
        return self.slots(state)[..., :2]

    def handles(self, state: PhysicsState) -> Tensor:
        """(N, K, P) float32: where things can be picked up, in the units of actions.

        Raises:
            ArmillaryError: the task's physics, which need not, do not tell.
        """
        told: Any = getattr(self._physics, "handles", None)
        if told is None:
            raise ArmillaryError(
                f"{self.identity} does not tell where things can be picked up; planner=cem fits"
            )
        return torch.from_numpy(told(state.tensors()["scene"].numpy())).float()

    def orientations(self, state: PhysicsState) -> Tensor:
        """(N, K, 2) float32: cosine and sine of the true angles.

        Raises:
            ArmillaryError: the task's physics, which need not, do not tell.
        """
        told: Any = getattr(self._physics, "angles", None)
        if told is None:
            raise ArmillaryError(
                f"{self.identity} does not tell how things lie, which objective=pose needs; take "
                "objective=object_position"
            )
        angles = torch.from_numpy(told(state.tensors()["scene"].numpy())).float()
        return torch.stack([angles.cos(), angles.sin()], -1)

    def decode(self, state: PhysicsState) -> Scene:
        """The true frames, each thing's mask being its pixels."""
        drawn = [self._physics.draw(scene) for scene in state.tensors()["scene"].numpy()]
        frames = torch.from_numpy(np.stack([frame for frame, _ in drawn]))
        labels = torch.from_numpy(np.stack([label for _, label in drawn])).long()
        slots = self.slots(state).shape[1]
        masks = torch.nn.functional.one_hot(labels, slots).permute(0, 3, 1, 2).float()
        components = (frames.permute(0, 3, 1, 2).float() / 255.0).unsqueeze(1)
        return Scene(components.expand(-1, slots, -1, -1, -1), masks.unsqueeze(2))

    def frames(self, state: PhysicsState) -> Tensor:
        """(N, 3, H, W): the true frames."""
        return self.decode(state).frames

    def masks(self, state: PhysicsState) -> Tensor:
        """(N, K, 1, H, W): each thing's pixels."""
        return self.decode(state).masks

    def close(self) -> None:
        """Ends the worker processes."""
        self._pool.close()

    @staticmethod
    def _stack(observations: Sequence[Observation], name: str) -> PhysicsState:
        owner = "an observation for the true physics"
        scenes = np.stack([required(one, name, owner) for one in observations])
        return PhysicsState(torch.from_numpy(scenes.astype(np.float64)))


def scored_in_pieces(
    simulator: Simulator[State],
    state: State,
    actions: Tensor,
    objective: ScoreRollouts[State],
    goal: Goal[State],
    generators: Sequence[torch.Generator] | None,
    at_once: int,
) -> Tensor:
    """``Simulator.score`` by ``rollout``, of so many candidates; all meet the same noise."""
    drawn = [generator.get_state() for generator in generators or ()]
    scores = []
    for piece in actions.split(at_once, 1):
        for generator, before in zip(generators or (), drawn, strict=True):
            generator.set_state(before)
        scores.append(objective(simulator.rollout(state, piece, generators), goal))
    return torch.cat(scores, 1)
