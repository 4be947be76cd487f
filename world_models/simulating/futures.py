"""Many futures of one scene: the particles of a stochastic model and the members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.imagine import Imaginer
from armillary.world_models.model import WorldModel
from armillary.world_models.simulator import Rollout
from armillary.world_models.state import State


class Futures(Generic[State]):
    """Imagines P particles of every candidate, each with one of M members throughout.

    That is PETS' TS-infinity (Chua et al. 2018, 1805.12114).

    Args:
        cores: one for each member of the model.

    Attributes:
        core: the first member's, which reads what all imagine.
    """

    def __init__(self, cores: Sequence[Imaginer[State]]) -> None:
        self._cores = cores
        self.core = cores[0]

    def check(self, name: str, count: int) -> None:
        """Raises ArmillaryError unless there can be that many; ``name`` is what messages say."""
        members = len(self._cores)
        if count < 1:
            raise ArmillaryError(f"{name} must be at least 1, got {count}")
        if count > 1 and count % members:
            raise ArmillaryError(
                f"{name} must be 1, the first member of the ensemble alone, or a multiple of its "
                f"{members} members, got {count}"
            )

    def noise(
        self, actions: Tensor, count: int, generators: Sequence[torch.Generator] | None
    ) -> Tensor | None:
        """Standard normal, the same for all candidates of a problem, so that none wins by luck.

        Args:
            actions: (B, S, T, A).
            count: P.
            generators: one per problem.

        Returns:
            (B, P, T, \\*noise_shape); None for a single particle of each member, which is its mean.

        Raises:
            ArmillaryError: particles lack their generators.
        """
        if count <= len(self._cores):
            return None
        problems, _, horizon, _ = actions.shape
        if generators is None or len(generators) != problems:
            raise ArmillaryError(f"{count} particles need one generator per problem")
        size = (count, horizon, *self.core.model.noise_shape)
        drawn = [torch.randn(size, generator=g, device=g.device) for g in generators]
        return torch.stack(drawn).to(self.core.device)

    def imagine(
        self, state: State, actions: Tensor, noise: Tensor | None, count: int
    ) -> Rollout[State]:
        """A rollout of shape (B, S, P, T).

        Args:
            state: (B, ...).
            actions: (B, S, T, A).
            noise: of ``noise``.
            count: P.
        """
        problems, candidates, horizon, _ = actions.shape
        cores = self._cores[:count]
        each, members = count // len(cores), len(cores)
        start = state.repeat(candidates * each)
        flat = actions.repeat_interleave(each, 1).flatten(0, 1)
        parts = []
        for member, core in enumerate(cores):
            drawn = None
            if noise is not None:
                own = noise[:, member::members].unsqueeze(1)
                drawn = own.expand(-1, candidates, *own.shape[2:]).flatten(0, 2)
            parts.append(core.rollout(start, flat, drawn))
        states = parts[0].flatten(2)
        if members > 1:
            apart = [part.reshape(problems, candidates, each) for part in parts]
            states = type(states).stack(apart, 3).flatten(5)
        shape = (problems, candidates, count, horizon)
        return Rollout(states, shape, self.core, actions, members)


def alike_members(model: WorldModel[State]) -> Sequence[WorldModel[State]]:
    """The members of a model. Raises ArmillaryError where they are different models."""

    def kind(one: WorldModel) -> dict[str, Any]:
        names = ("image_size", "action_size", "num_slots", "slot_size", "noise_shape")
        return {"class": type(one).__name__} | {name: getattr(one, name) for name in names}

    members = model.members
    for number, member in enumerate(members):
        other, own = kind(member), kind(model)
        for name in own:
            if other[name] != own[name]:
                raise ArmillaryError(
                    f"the members of an ensemble must be models of one kind: member {number} has "
                    f"{name} {other[name]}, the first one {own[name]}"
                )
    return members
