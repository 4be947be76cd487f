"""Situations whose scores are functions of actions: the state is the last action, or their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from armillary.planners.optimizer import Score
from armillary.planners.situation import Situation
from armillary.world_models.simulator import Goal, Rollout, View
from armillary.world_models.state import LatentState, Scene

IDENTITY = "the action taken last"


@dataclass(frozen=True)
class Taken(LatentState):
    """(N, A)."""

    action: Tensor


class TakenSimulator:
    """One slot, which shows the action that was taken last, or the sum of all."""

    context_length = 1
    device = torch.device("cpu")
    identity = IDENTITY

    def __init__(self, action_size: int, adds: bool = False) -> None:
        self.action_size = action_size
        self._adds = adds

    def view(self, state: Taken) -> View[Taken]:
        return View(state, (len(state),), self)

    def step(self, state: Taken, actions: Tensor) -> Taken:
        return Taken(actions + self._adds * state.action)

    def rollout(
        self,
        state: Taken,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[Taken]:
        problems, candidates, horizon, _ = actions.shape
        shape = (problems, candidates, 1, horizon)
        states = [state.repeat(candidates)]
        for taken in actions.flatten(0, 1).unbind(1):
            states.append(self.step(states[-1], taken))
        return self.view(Taken.stack(states[1:], 1).flatten(2)).imagined(shape, actions)

    def score(
        self, state: Taken, actions: Tensor, objective: Any, goal: Goal, generators: Any = None
    ) -> Tensor:
        return objective(self.rollout(state, actions), goal)

    def slots(self, state: Taken) -> Tensor:
        return state.action.unsqueeze(1)

    def positions(self, state: Taken) -> Tensor:
        return state.action.unsqueeze(1)[..., :2]

    def decode(self, state: Taken) -> Scene:
        raise AssertionError("there is nothing to be seen")

    frames = masks = decode


def situation(
    score: Score, init: Tensor, wanted: Tensor | None = None, adds: bool = False
) -> Situation[Any]:
    """Where candidates score what a function of them says.

    Args:
        score: (B, S, T, A) -> (B, S).
        init: (B, T, A), for the sizes and the type.
        wanted: (B, A), the goal's slot; by default zeros, which are the present's.
        adds: whether the slot shows the sum of all actions.
    """
    problems, size = len(init), init.shape[-1]
    simulator = TakenSimulator(size, adds)
    still = init.new_zeros(problems, size)
    ones = init.new_ones(problems, 1)
    goal = Goal(
        simulator.view(Taken(still if wanted is None else wanted)),
        torch.zeros(problems, 1, dtype=torch.int64),
        ones,
        0 * ones,
    )
    return Situation(simulator, Taken(still), lambda rollout, _: score(rollout.actions), goal, [])
