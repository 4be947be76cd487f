"""The contract of goal readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from armillary.world_models.simulator import Goal, Observation, Simulator
from armillary.world_models.state import State


class GoalReader(Protocol):
    """Reads the goals of B episodes, once, at their beginning.

    Attributes:
        own_problem: whether it poses a problem that the task does not know; then it is a
            ``PosingReader``, and the task's own success does not count.
    """

    @property
    def own_problem(self) -> bool:  # noqa: D102
        ...

    def read(
        self,
        simulator: Simulator[State],
        state: State,
        observations: Sequence[Observation],
        low: Tensor,
        high: Tensor,
    ) -> Goal[State]:
        """The goals of B episodes.

        Args:
            simulator: that plans.
            state: the B beliefs at the beginning.
            observations: B, the first ones.
            low: (A,) the least actions of the task.
            high: (A,) the greatest actions.

        Raises:
            ArmillaryError: a goal cannot be read.
        """
        ...
