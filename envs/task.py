"""The contract of environments: what can be recorded, what can be planned in, what is optional.

An environment is a ``gymnasium.Env``. One that shows ``image`` is enough for ``collect``; ``plan``
and ``benchmark`` need a ``Task``. All else may be missing and has a protocol of its own:
``Recordable`` has masks, and a scene for policies that look at it, ``Simulated`` gives a benchmark
its ceiling, ``Posed`` fixes a problem, ``Placed`` tells where things are, ``Measured`` how near a
goal is. A suite for each is in
``tests/contracts/task.py``. World models see images and actions alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observation = Mapping[str, NDArray[Any]]
"""What an environment shows.

- ``image``: (H, W, 3) uint8, H = W.
- ``observation``, where there is one: (P,) the poses of things, which ``pose_meaning`` of the task
  explains.
- ``goal_image``, of tasks: (H, W, 3) uint8, how the scene is to look. ``achieved_goal`` and
  ``desired_goal``, as Gymnasium-Robotics has them, may be there too.
"""
Info = Mapping[str, Any]
"""What a task says after every reset and step.

- ``is_success``: whether the goal is reached; never right after a reset.
- ``at_goal``, where an action may pass through the goal: whether it is reached as the action ends.
- ``distance``: to the goal, >= 0, in the task's own unit.
"""


def member(env: gym.Env, name: str) -> Any:
    """A member that an environment need not have, whatever wraps it; None where it has not."""
    return getattr(env.unwrapped, name, None)


class Recordable(Protocol):
    """An environment whose episodes are collected with masks, by policies that see the scene.

    ``reset`` takes ``seed``, which determines the scene and all noise, and ``options``, which may
    fix factors of variation. Actions form a bounded ``Box`` (A,), of which A = 0 is one, or are
    choices (``armillary.spaces``).
    """

    def snapshot(self) -> NDArray[np.float64]:
        """(n,) the full state of the scene, which policies act on."""
        ...

    def segmentation(self) -> NDArray[np.uint8]:
        """(H, W) labels of the image, 0 for the background."""
        ...


class Task(Protocol):
    """An environment that poses problems: reach what ``goal_image`` shows.

    ``reset`` samples a start and a goal that can be reached and is not reached yet. A > 0. It need
    not end by itself.

    Attributes:
        action_space: a bounded ``Box`` (A,), or choices (``armillary.spaces``).
        observation_space: a ``Dict`` of what ``Observation`` names.
    """

    @property
    def action_space(self) -> spaces.Space[Any]:  # noqa: D102
        ...

    @property
    def observation_space(self) -> spaces.Space[Any]:  # noqa: D102
        ...

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Poses a new problem."""
        ...

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, Info]:
        """Takes (A,) and returns observation, reward, terminated, truncated and info."""
        ...


class Simulated(Recordable, Protocol):
    """A task whose state can be saved and brought back, and whose physics can be asked.

    Attributes:
        goal_scene: (n,) the snapshot that the goal image shows.
        oracle: what ``OracleSimulator`` takes (``armillary.world_models.oracle.Physics``).
    """

    @property
    def goal_scene(self) -> NDArray[np.float64]:  # noqa: D102
        ...

    @property
    def oracle(self) -> Any:  # noqa: D102
        ...

    def restore(self, scene: NDArray[np.float64]) -> None:
        """Goes on from a snapshot exactly as the environment did from there, but for noise."""
        ...


class Posed(Protocol):
    """A task that can be given its problem."""

    def pose(self, scene: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        """Sets the scene and the goal, both snapshots (n,)."""
        ...


class Placed(Recordable, Protocol):
    """A task that tells where its things truly are, so that goals of a user's own can be judged.

    Attributes:
        tolerance: how far from its place a thing may be that is there, in image widths.
    """

    @property
    def tolerance(self) -> float:  # noqa: D102
        ...

    def places(self) -> NDArray[np.float64]:
        """(n, 2): x and y of the thing of every label of ``segmentation``, in [0, 1] of the image.

        The first row is the background's.
        """
        ...


class Measured(Protocol):
    """A task that measures more than success, such as the share of its objects that are in place.

    Attributes:
        measures: names of numbers in ``info``, the greater the better. Of an episode the greatest
            counts that is told after any of its steps, as success counts that is touched once;
            benchmarks have the mean over episodes. No name of a row of ``benchmark`` is one.
    """

    @property
    def measures(self) -> Sequence[str]:  # noqa: D102
        ...


class Policy(Protocol):
    """Chooses the actions of recorded episodes from the true scene; remembers one episode."""

    def reset(self, rng: np.random.Generator) -> None:
        """Starts an episode; every later draw comes from ``rng``."""
        ...

    def act(self, scene: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n,) a snapshot -> (A,) in the action space."""
        ...
