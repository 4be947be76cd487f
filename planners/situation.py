"""What an agent plans in: the score of candidates, and the model, states and goals behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Score
from armillary.world_models.simulator import Goal, ScoreRollouts, Simulator
from armillary.world_models.state import State


@dataclass(frozen=True)
class Situation(Generic[State]):
    """The ``Score`` that agents give to planners; most of them need nothing but to call it.

    Attributes:
        simulator: answers what candidates would lead to.
        state: B states.
        objective: scores the answers.
        goal: of the B problems.
        generators: one per problem.
    """

    simulator: Simulator[State]
    state: State
    objective: ScoreRollouts
    goal: Goal[State]
    generators: Sequence[torch.Generator]

    def __call__(self, actions: Tensor) -> Tensor:
        """Candidates (B, S, T, A) -> scores (B, S)."""
        return self.simulator.score(self.state, actions, self.objective, self.goal, self.generators)

    @cached_property
    def slots(self) -> Tensor:
        """(B, K, D): as they are."""
        return self.simulator.view(self.state).slots

    @cached_property
    def goal_slots(self) -> Tensor:
        """(B, K, D): for each slot of the present the goal's one that shows the same thing.

        Raises:
            ArmillaryError: the goal says no more than places.
        """
        slots = self.goal.view.slots
        return slots.gather(1, self.goal.assignment.unsqueeze(-1).expand_as(slots))


def situated(score: Score, who: str) -> Situation:
    """A score that is a situation.

    Args:
        score: as a planner is given it.
        who: looks at states, ``planner=two_level`` say.

    Raises:
        ArmillaryError: it is a function of actions alone.
    """
    if not isinstance(score, Situation):
        raise ArmillaryError(
            f"{who} looks at states, so that the score must be a planners.Situation, as MPCAgent "
            f"makes one; got {type(score).__name__}"
        )
    return score
