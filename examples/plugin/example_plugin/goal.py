"""A goal reader: of all that the goal image shows, one thing at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from armillary import Goal, ImageGoal, Simulator
from armillary.plugins import register
from armillary.world_models.simulator import Observation


@register("goal", "example_plugin")
@dataclass(frozen=True)
class FurthestOnly:
    """Only the object that is furthest from its place in the goal image is to be placed."""

    own_problem = False

    def read(
        self,
        simulator: Simulator,
        state: Any,
        observations: Sequence[Observation],
        low: Tensor,
        high: Tensor,
    ) -> Goal:
        """See ``GoalReader``."""
        goal = ImageGoal().read(simulator, state, observations, low, high)
        way = (goal.positions - simulator.view(state).positions).norm(dim=-1) * goal.placed
        furthest = torch.nn.functional.one_hot(way.argmax(1), way.shape[1])
        return replace(goal, objects=furthest * goal.placed)
