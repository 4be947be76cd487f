"""Goals that an image shows: how the scene is to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from armillary.plugins import register
from armillary.world_models.goals.roles import Background, Effector, FindRoles
from armillary.world_models.simulator import Goal, Observation, Simulator
from armillary.world_models.state import State


@register("goal", "image")
@dataclass(frozen=True)
class ImageGoal:
    """Reads ``goal_image``, or for the true physics ``goal_state``; what it shows has its place.

    Args:
        background: how the background is told, one of ``roles.BACKGROUNDS`` or a function.
        effector: how the effector is told, one of ``roles.EFFECTORS`` or a function.
    """

    background: str | Background = "largest"
    effector: str | Effector = "moved"

    own_problem = False

    def __post_init__(self) -> None:
        FindRoles(self.background, self.effector)

    def read(
        self,
        simulator: Simulator[State],
        state: State,
        observations: Sequence[Observation],
        low: Tensor,
        high: Tensor,
    ) -> Goal[State]:
        """See ``GoalReader``."""
        find = FindRoles(self.background, self.effector, low, high)
        return simulator.goal(state, observations, find)
