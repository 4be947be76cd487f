"""The true cost of what a model imagines: true goal and places, moved as its slots move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.experiments.diagnosis.exchanged import Exchanged, Known
from armillary.experiments.diagnosis.sight import matched, overlaps
from armillary.world_models.oracle import OracleSimulator, Physics, PhysicsState
from armillary.world_models.simulator import (
    Goal,
    Observation,
    RoleFinder,
    Roles,
    Rollout,
    Simulator,
    View,
)
from armillary.world_models.state import LatentState, Scene


@dataclass(frozen=True)
class Poses(LatentState):
    """Where things are imagined to be.

    Attributes:
        poses: (N, K, D), x and y first.
        start: (N, n) the true scenes at first, whose angles stay.
    """

    poses: Tensor
    start: Tensor


class TruePlaces(Exchanged):
    """Things start where they truly are and move as the slots that show them are imagined to.

    Goals and roles are the true ones, so that a cost on places is the task's own. Angles stay. All
    but the imagination is computed on the CPU.
    """

    def __init__(self, model: Simulator, oracle: OracleSimulator, physics: Physics) -> None:
        super().__init__(model, oracle, physics)
        self.device = oracle.device

    @property
    def identity(self) -> str:
        """The oracle's, whose slots these are: what was learnt from the model's does not fit."""
        return self.oracle.identity

    def shown(self, belief: LatentState, scene: Tensor) -> Tensor:
        """(N, K): the slot whose mask lies over each thing, one for each.

        Raises:
            ArmillaryError: the model tells no places.
        """
        masks = self.model.view(belief).masks.cpu()
        if masks.shape[1] == 1:
            raise ArmillaryError("the model sees every scene as one slot, and tells no places")
        return matched(overlaps(masks, self.oracle.masks(PhysicsState(scene))))

    def view(self, state: Known) -> View:
        """See ``Simulator``."""
        return self.oracle.view(state.truth)

    def roles(self, state: Known, find: RoleFinder) -> Roles:
        """See ``Simulator``."""
        return self.oracle.roles(state.truth, find)

    def goal(self, state: Known, observations: Sequence[Observation], find: RoleFinder) -> Goal:
        """See ``Simulator``."""
        return self.oracle.goal(state.truth, observations, find)

    def rollout(
        self,
        state: Known,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout:
        """See ``Simulator``."""
        future = self.model.rollout(state.belief, actions.to(self.model.device), generators)
        known = (state.shown >= 0).float()[..., None]
        rows = state.shown.clamp_min(0)[..., None].expand(-1, -1, 2)
        before = self.model.view(state.belief).positions.cpu().gather(1, rows)
        places = future.positions.cpu()
        wide = rows[:, None, None, None].expand(*places.shape[:4], -1, -1)
        moved = (places.gather(-2, wide) - before[:, None, None, None]) * known[:, None, None, None]
        true = self.oracle.slots(state.truth)[:, None, None, None].expand(*moved.shape[:4], -1, -1)
        poses = torch.cat([true[..., :2] + moved, true[..., 2:]], -1)
        start = state.scene[:, None, None, None].expand(*moved.shape[:4], -1)
        found = Poses(poses.flatten(0, 3), start.flatten(0, 3))
        return Rollout(found, future.shape, _Reader(self.oracle), actions, future.members)


class _Reader:
    """Reads poses; there is nothing to see."""

    def __init__(self, oracle: OracleSimulator) -> None:
        self._oracle = oracle

    def slots(self, state: Poses) -> Tensor:
        return state.poses

    def positions(self, state: Poses) -> Tensor:
        return state.poses[..., :2]

    def orientations(self, state: Poses) -> Tensor:
        return self._oracle.orientations(PhysicsState(state.start))

    def handles(self, state: Poses) -> Tensor:
        raise ArmillaryError("true places in the image are none in the scene, which handles are")

    def decode(self, state: Poses) -> Scene:
        raise ArmillaryError("true places have no frames: true_cost must be a cost on places")

    def frames(self, state: Poses) -> Tensor:
        return self.decode(state).frames

    def masks(self, state: Poses) -> Tensor:
        return self.decode(state).masks
