"""What proposals are asked for: from these slots to those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from armillary.planners.situation import Situation


@dataclass(frozen=True)
class Query:
    """N problems; slot k of the goal shows what slot k of the present shows.

    Attributes:
        slots: (N, K, D), as they are.
        goal: (N, K, D), as they are to be; where there is no object it means nothing.
        objects: (N, K) float32; 1 for things that are to be placed.
        effector: (N, K) float32; 1 for what the actions move directly.
    """

    slots: Tensor
    goal: Tensor
    objects: Tensor
    effector: Tensor

    @staticmethod
    def of(situation: Situation) -> Query:
        """Raises ArmillaryError where the goal says no more than places."""
        goal = situation.goal
        return Query(situation.slots, situation.goal_slots, goal.placed, goal.effector)

    def map(self, function: Callable[[Tensor], Tensor]) -> Query:
        """Applies ``function`` to every tensor."""
        parts = (self.slots, self.goal, self.objects, self.effector)
        return Query(*map(function, parts))
