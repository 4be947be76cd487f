"""What a cost is, and what costs have in common."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.simulator import Goal, Rollout


class Cost(Protocol):
    """A pure function of a rollout, its actions and a goal.

    It is at least 0, and a mean over elements, so that weights compare. A distance is 0 at the goal
    and above 0 elsewhere; what regularises the way there promises neither.
    """

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        """A rollout of shape (B, S, P, T) and B goals -> (B, S, P, T)."""
        ...


def over_particles(cost: Tensor, rollout: Rollout) -> Tensor:
    """(B, S, T) of actions, which all particles share -> (B, S, P, T)."""
    return cost.unsqueeze(2).expand(rollout.shape)


def over_rollout(tensor: Tensor) -> Tensor:
    """(B, ...) -> (B, 1, 1, 1, ...)."""
    return tensor[:, None, None, None]


def present(slots: Tensor, what: str) -> Tensor:
    """(B, K) itself, after checking that the model segments.

    A problem in which none was found costs 0, so that one failed segmentation ends no benchmark.
    """
    if slots.shape[-1] == 1 and not slots.any():
        raise ArmillaryError(
            f"a cost on positions needs an {what}, but this model sees every scene as one slot; "
            "take the latent or the pixel objective"
        )
    return slots
