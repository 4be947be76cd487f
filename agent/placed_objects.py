"""A task whose goal is to have named objects at their places, whatever the task's own goal is."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.world_models.goals.item import Item
from armillary.world_models.goals.object import ObjectGoal, Problem
from armillary.world_models.goals.sight import true_sight
from armillary.world_models.simulator import Observation, Simulator
from armillary.world_models.state import LatentState

TOLERANCE = 0.06
"""Of tasks that have none of their own, in image widths."""


def tells_places(env: gym.Env) -> bool:
    """Whether a task tells where its things truly are: ``envs.task.Placed``."""
    return env.has_wrapper_attr("places")


class PlacedObjects(gym.Wrapper):
    """Judges episodes by an ``ObjectGoal``; the task's own success ends and counts nothing.

    Places are the true ones where the task tells them (``envs.task.Placed``), else those that the
    simulator sees, whose belief is then filtered once more. ``goal_image`` is the first frame with
    the places marked; ``info`` has ``is_success`` and ``distance``, the largest of an object to its
    place in image widths.

    Args:
        env: the task.
        reader: names the objects and places.
        simulator: that plans; None for an agent that does not plan.

    Raises:
        ArmillaryError: neither the task nor a simulator tells places.
    """

    def __init__(self, env: gym.Env, reader: ObjectGoal, simulator: Simulator | None) -> None:
        super().__init__(env)
        self._true = tells_places(env)
        if not self._true and simulator is None:
            raise ArmillaryError(
                "the task does not tell where its objects truly are, so goal=object needs a "
                "simulator that sees them; leave out what does not plan"
            )
        self._reader = reader
        self._simulator = simulator
        own = env.get_wrapper_attr("tolerance") if self._true else TOLERANCE
        self._tolerance = float(own if reader.tolerance is None else reader.tolerance)
        self._problem = Problem((), ())
        self._belief: LatentState | None = None
        self._goal_image = np.zeros(0, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Poses a problem. Raises ArmillaryError if an object cannot be found in the scene."""
        observation, info = self.env.reset(seed=seed, options=options)
        items = self._reader.items_of(observation)
        self._belief = None
        if not self._true or any(item.by == "slot" for item in items):
            items = self._looked(observation, items)
        if self._true:
            places, labels = self._places(), self.env.get_wrapper_attr("segmentation")()
            sight = true_sight(observation["image"], labels, len(places))
            self._problem = self._reader.problem(items, sight)
        self._goal_image = marked(observation["image"], items, self._reader.keep_clear)
        return self._seen(observation), {**info, **self._judged()}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Takes a step and judges where objects are."""
        observation, _, terminated, truncated, info = self.env.step(action)
        if not self._true:
            assert self._simulator is not None
            taken = np.asarray(action, np.float32)[None]
            self._belief = self._simulator.observe(self._belief, taken, [observation])
        judged = self._judged()
        ended = (terminated and not info.get("is_success", False)) or judged["is_success"]
        reward = float(judged["is_success"]) - 1.0
        return self._seen(observation), reward, ended, truncated, {**info, **judged}

    def _looked(self, observation: Observation, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """What the simulator sees at the beginning: names by slot become names by mask."""
        simulator = self._simulator
        if simulator is None:
            raise ArmillaryError(
                "objects that are named by slot need a simulator; leave out what does not plan, or "
                "name them by color, pixel or mask"
            )
        still = np.zeros((1, simulator.action_size), np.float32)
        belief = simulator.observe(None, still, [observation])
        for _ in range(simulator.context_length - 1):
            belief = simulator.observe(belief, still, [observation])
        sight = self._reader.seen(simulator, belief)[0]
        if not self._true:
            self._belief = belief
            self._problem = self._reader.problem(items, sight)
        return tuple(item.as_seen(sight) for item in items)

    def _places(self) -> NDArray[np.floating]:
        """(K, 2) of everything."""
        if self._true:
            return self.env.get_wrapper_attr("places")()
        assert self._simulator is not None
        return self._simulator.view(self._belief).positions[0].cpu().numpy()

    def _judged(self) -> dict[str, Any]:
        places = self._places()
        return {
            "is_success": self._problem.solved(places, self._tolerance),
            "distance": float(self._problem.distances(places).max()),
        }

    def _seen(self, observation: dict[str, Any]) -> dict[str, Any]:
        return {**observation, "goal_image": self._goal_image}


def marked(
    image: NDArray[np.uint8], items: tuple[Item, ...], keep_clear: Any = ()
) -> NDArray[np.uint8]:
    """An image (H, W, 3) with crosses at points and frames around regions, red to be kept clear."""
    picture = image.copy()
    for x0, y0, x1, y1 in keep_clear:
        _frame(picture, (x0, y0), (x1, y1), (220, 40, 40))
    for item in items:
        if (item.low < item.high).any():
            _frame(picture, item.low, item.high, (30, 120, 60))
            continue
        column, row = _pixel(picture, item.low)
        arm = max(1, len(picture) // 20)
        picture[row, max(0, column - arm) : column + arm + 1] = (30, 120, 60)
        picture[max(0, row - arm) : row + arm + 1, column] = (30, 120, 60)
    return picture


def _frame(picture: NDArray[np.uint8], low: Any, high: Any, color: tuple[int, int, int]) -> None:
    (left, top), (right, bottom) = _pixel(picture, low), _pixel(picture, high)
    picture[[top, bottom], left : right + 1] = color
    picture[top : bottom + 1, [left, right]] = color


def _pixel(picture: NDArray[np.uint8], place: Any) -> tuple[int, int]:
    size = len(picture)
    x, y = (min(int(end * size), size - 1) for end in place)
    return x, y
