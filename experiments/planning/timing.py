"""How long plans take: for one problem alone, and for each of many planned together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from statistics import median

import numpy as np

from armillary.agent.mpc import PlanningTime
from armillary.experiments.planning.entries import Entry
from armillary.spaces import native

_PLANS = 3


def plan_alone(entry: Entry, seed: int) -> None:
    """Plays the beginning of an episode by itself, unless plans for one problem were timed before.

    Three plans are made, the first of which reads the goal; ``planning_times`` grows by them.

    Args:
        entry: what plays; nothing is done for one that does not plan.
        seed: of the episode.
    """
    if not entry.planning_times or seconds_alone(entry.planning_times) is not None:
        return
    agent, until = entry.agent, len(entry.planning_times) + _PLANS
    with closing(entry.make_env()) as env:
        observation, _ = env.reset(seed=seed)
        agent.reset([seed])
        ended = False
        while not ended and len(entry.planning_times) < until:
            (action,) = agent.act([observation], np.ones(1, bool))
            result = env.step(native(env.action_space, action))
            observation, ended = result[0], result[2] or result[3]


def seconds_alone(times: Sequence[PlanningTime]) -> float | None:
    """The median of the plans for a single problem; None where there was none."""
    alone = [one.seconds for one in times if one.problems == 1]
    return median(alone) if alone else None


def seconds_together(times: Sequence[PlanningTime]) -> float | None:
    """The median for each problem of the plans for several, or of all where none was for several.

    None where nothing was planned.
    """
    together = [one for one in times if one.problems > 1] or times
    return median(one.seconds / one.problems for one in together) if together else None
