"""What tells that an environment without goal images has reached one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.image_goal.goals import function
from armillary.envs.image_goal.images import Seen
from armillary.errors import ArmillaryError, required

SUCCESSES = ("image", "state", "flag")
SuccessFunction = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""Whether an observation of ``ImageGoalEnv`` has reached its goal, by that and by ``info``."""


class Judge:
    """Measures how far a goal is, and whether it is reached.

    Args:
        success: see ``ImageGoalEnv``.
        key: of the environment's own flag in ``info``.
        tolerance: greatest difference.

    Raises:
        ArmillaryError: there is no such way or function.
    """

    def __init__(self, success: str | SuccessFunction | None, key: str, tolerance: float) -> None:
        if tolerance <= 0:
            raise ArmillaryError(f"tolerance must be above 0, got {tolerance}")
        known = success is None or success in SUCCESSES
        self._asked = None if known else function(success, "success", SUCCESSES)
        self._way = success if known else "function"
        self._key, self._tolerance = key, tolerance

    def judge(
        self,
        now: Seen,
        goal: Seen,
        observation: Mapping[str, Any],
        told: Mapping[str, Any],
        begins: bool,
    ) -> tuple[bool, float]:
        """Whether the goal is reached, and its distance.

        Args:
            now: what is seen.
            goal: what is to be seen.
            observation: of ``ImageGoalEnv``.
            told: the environment's ``info``; after a reset it need not have the flag.
            begins: whether an episode begins.

        Raises:
            ArmillaryError: there are no states, or no flag, to judge by.
        """
        way = self._way
        shapes = {None if seen.state is None else seen.state.shape for seen in (now, goal)}
        comparable = len(shapes) == 1 and None not in shapes
        if way is None:
            way = "state" if comparable else "image"
        if way == "state":
            if now.state is None or goal.state is None or not comparable:
                raise ArmillaryError(
                    "success=state needs states of one shape, of the environment (state_key) and "
                    "of the goal; success=image, flag or a function needs none"
                )
            distance = difference(now.state, goal.state)
        else:
            distance = difference(now.image, goal.image, 255.0)
        if self._asked is not None:
            return bool(self._asked(observation, told)), distance
        if way == "flag":
            if begins:
                return bool(told.get(self._key, False)), distance
            owner = "the info of an environment with success=flag"
            return bool(required(told, self._key, owner)), distance
        return distance < self._tolerance, distance


def difference(one: NDArray[Any], other: NDArray[Any], scale: float = 1.0) -> float:
    """Root of the mean squared difference of two arrays, in units of ``scale``."""
    return float(np.sqrt(np.square((one.astype(float) - other.astype(float)) / scale).mean()))
