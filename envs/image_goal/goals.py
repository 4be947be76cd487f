"""Where the goals of an environment without goal images come from."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from armillary.envs.image_goal.images import Seen
from armillary.errors import ArmillaryError
from armillary.hdf5.array import Array
from armillary.hdf5.file import File, Group

Play = Callable[[int, int], Seen]
"""Plays randomly from a seed for so many steps, and shows where that leads."""
GoalFunction = Callable[[gym.Env, np.random.Generator], Any]
"""Draws a goal: an image (S, S, 3) uint8, or such an image and a state (P,)."""
GOALS = ("episode", "future")


class GoalSource:
    """Draws goals.

    Args:
        goal: ``episode``, what random actions lead to in an episode of another seed; ``future``,
            the same from the very start of the episode; the path of a file of episodes (.h5), a
            frame of which is drawn; a function, or its name ``module:function``.
        steps: of the random actions.
        env: that functions are given.
        play: plays randomly in it.
        image_size: S, of the goals.

    Raises:
        ArmillaryError: there is no such file or function, or its images are of another size.
    """

    def __init__(
        self, goal: str | GoalFunction, steps: int, env: gym.Env, play: Play, image_size: int
    ) -> None:
        if steps < 1:
            raise ArmillaryError(f"goal_steps must be at least 1, got {steps}")
        self._env, self._play, self._steps, self._size = env, play, steps, image_size
        self._goal = goal
        self._file = goal if isinstance(goal, str) and goal.endswith((".h5", ".hdf5")) else None
        self._function = None if self._file or goal in GOALS else function(goal, "goal", GOALS)
        if self._file and not Path(self._file).expanduser().is_file():
            raise ArmillaryError(f"goal={self._file}: there is no such file")

    def draw(self, start_seed: int, rng: np.random.Generator) -> Seen:
        """A goal for the episode that starts from a seed; may move the environment."""
        if self._file is not None:
            seen = self._recorded(Path(self._file).expanduser(), rng)
        elif self._function is not None:
            found = self._function(self._env, rng)
            image, state = found if isinstance(found, tuple) else (found, None)
            seen = Seen(np.asarray(image), None if state is None else np.asarray(state, np.float64))
        else:
            other = int(rng.integers(2**32))
            seen = self._play(start_seed if self._goal == "future" else other, self._steps)
        wanted = (self._size, self._size, 3)
        if seen.image.shape != wanted or seen.image.dtype != np.uint8:
            raise ArmillaryError(
                f"goal images must be {wanted} uint8, got {seen.image.shape} {seen.image.dtype} "
                f"from goal={self._goal}"
            )
        return seen

    def _recorded(self, path: Path, rng: np.random.Generator) -> Seen:
        """A frame of an episode to train on, not the first one."""
        with closing(File(path)) as file:
            train = file.get("train")
            frames = train.get("imgs") if isinstance(train, Group) else None
            poses = train.get("poses") if isinstance(train, Group) else None
            leading = frames.shape[:2] if isinstance(frames, Array) and frames.ndim == 5 else (0, 0)
            fits = not isinstance(poses, Array) or poses.shape[:2] == leading
            if not isinstance(frames, Array) or leading[0] < 1 or leading[1] < 2 or not fits:
                raise ArmillaryError(
                    f"goal={path} must be a file that collect or convert wrote, with at least 2 "
                    "frames of each episode, train/imgs [N, T, H, W, 3], and poses, if any, "
                    "train/poses [N, T, P]"
                )
            episode, time = int(rng.integers(leading[0])), int(rng.integers(1, leading[1]))
            state = poses[episode, time] if isinstance(poses, Array) else None
            return Seen(frames[episode, time], state)


def function(named: Any, setting: str, words: tuple[str, ...]) -> Callable[..., Any]:
    """A function, or what ``module:function`` names.

    Raises:
        ArmillaryError: there is none.
    """
    if callable(named):
        return named
    module, colon, name = str(named).partition(":")
    if not colon:
        raise ArmillaryError(
            f"{setting} must be one of {words}, a function or its name module:function, "
            f"got {named!r}"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ArmillaryError(f"{setting}={named}: {error}") from error
    return found
