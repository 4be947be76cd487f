"""ImageGoalEnv: makes a task of any Gymnasium environment that shows images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from armillary.envs.image_goal.goals import GoalFunction, GoalSource
from armillary.envs.image_goal.images import Seen, View
from armillary.envs.image_goal.success import Judge, SuccessFunction
from armillary.errors import ArmillaryError
from armillary.spaces import ends, native, uniform, vectors

_ATTEMPTS = 20


class ImageGoalEnv(gym.Env[Any, Any]):
    """A task (``armillary.envs.task``) made of an environment that somebody else wrote.

    It shows ``image`` and ``goal_image``, and ``observation`` where the environment tells a state.
    Goals are drawn anew until they are not reached from the start. ``distance`` in ``info`` is the
    root of the mean squared difference to the goal, of the states where success is judged by them
    and else of the images (in [0, 1]). The environment's own limit of steps is not kept. Where it
    ends an episode by itself (``terminated``), so does this one, unless ``ends`` is false: then the
    scene stays as it is.

    Args:
        env: an environment, a function that makes one, or its id, ``PACKAGE_MODULE:Id-v0`` say.
        image_size: S, H = W of the images in pixels.
        options: further keyword arguments of the environment where an id is given.
        render_mode: for the environment, likewise; None where it takes none.
        crop: (x0, y0, x1, y1) in [0, 1] of its image; None for the largest square in the middle.
        image_key: the observation's entry that is the image; None finds one, or else renders.
        state_key: the observation's entry that is the state; None finds one where there is one.
        frameskip: how often the environment takes each action.
        action_bounds: [low, high], numbers or lists of them, for actions without bounds, or within
            narrower ones than the environment's.
        goal: ``episode``, ``future``, a file of episodes (.h5) or a function, see ``GoalSource``.
        goal_steps: random actions that lead to a goal of ``episode`` or ``future``.
        success: what tells that the goal is reached: ``image`` or ``state``, their difference being
            below ``tolerance``, ``flag``, the environment's own word in ``info``, or a function
            (or ``module:function``) of observation and info. None is ``state`` where there are
            states of both, else ``image``.
        success_key: the flag's name in ``info``.
        tolerance: greatest difference, of states in their own units, of images in the range [0, 1].
        ends: whether the environment's own end ends an episode.

    Raises:
        ArmillaryError: there is no such environment, its actions are unbounded, or a setting is
            out of range.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(
        self,
        env: str | gym.Env | Callable[[], gym.Env] | None = None,
        image_size: int = 64,
        *,
        options: Mapping[str, Any] | None = None,
        render_mode: str | None = "rgb_array",
        crop: Sequence[float] | None = None,
        image_key: str | None = None,
        state_key: str | None = None,
        frameskip: int = 1,
        action_bounds: Sequence[Any] | None = None,
        goal: str | GoalFunction = "episode",
        goal_steps: int = 20,
        success: str | SuccessFunction | None = None,
        success_key: str = "is_success",
        tolerance: float = 0.05,
        ends: bool = True,
    ) -> None:
        if frameskip < 1:
            raise ArmillaryError(f"frameskip must be at least 1, got {frameskip}")
        self.render_mode = render_mode
        self._env = _made(env, options or {}, render_mode)
        self._view = View(self._env, image_size, crop, image_key, state_key)
        self.action_space = _bounded(self._env.action_space, action_bounds)
        self.frameskip = frameskip
        self._ends, self._ended = ends, False
        self._goals = GoalSource(goal, goal_steps, self._env, self._play, image_size)
        self._judge = Judge(success, success_key, tolerance)
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        seen: dict[str, spaces.Space[Any]] = {"image": image, "goal_image": image}
        if self._view.state_size is not None:
            seen["observation"] = spaces.Box(-np.inf, np.inf, (self._view.state_size,), np.float64)
        self.observation_space = spaces.Dict(seen)
        self._now = self._goal = Seen(np.zeros(image.shape, np.uint8), None)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draws a goal, then a start. ``options`` are the environment's.

        Raises:
            ArmillaryError: every goal that was drawn is reached at the start.
        """
        super().reset(seed=seed)
        start = int(self.np_random.integers(2**32))
        for _ in range(_ATTEMPTS):
            self._goal = self._goals.draw(start, self.np_random)
            observation, told = self._env.reset(seed=start, options=options)
            self._ended = False
            self._now = self._view.see(observation)
            info = self._info(told, begins=True)
            if not info["is_success"]:
                return self._observe(), info
        raise ArmillaryError(
            f"{_ATTEMPTS} goals in a row are reached at the start; goals further away "
            "(goal_steps), a lower tolerance or another success are needed"
        )

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Takes the action ``frameskip`` times, less often where the goal or the end comes first.

        Raises:
            ArmillaryError: the action is not in the space.
        """
        if not self.action_space.contains(action):
            raise ArmillaryError(f"action must be in {self.action_space}, got {action}")
        reward, info = 0.0, self._info({}, begins=True)
        for _ in range(self.frameskip):
            if self._ended:
                break
            observation, gained, self._ended, _, told = self._env.step(self._own(action))
            self._now = self._view.see(observation)
            reward, info = reward + float(gained), self._info(told)
            if info["is_success"]:
                break
        return self._observe(), reward, self._ended and self._ends, False, info

    def render(self) -> Any:
        """What the environment renders."""
        return self._env.render()

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def _own(self, action: Any) -> Any:
        """An action as the environment takes it, which may have another shape."""
        space = self._env.action_space
        return native(space, action) if isinstance(space, spaces.Box) else action

    def _play(self, seed: int, steps: int) -> Seen:
        """Plays randomly from a seed; stops where the environment ends."""
        rng = np.random.default_rng(self.np_random.integers(2**32))
        observation, _ = self._env.reset(seed=seed)
        space = vectors(self.action_space)
        for _ in range(steps):
            action = native(self.action_space, uniform(space, rng))
            for _ in range(self.frameskip):
                observation, _, ended, _, _ = self._env.step(self._own(action))
                if ended:
                    return self._view.see(observation)
        return self._view.see(observation)

    def _observe(self) -> dict[str, Any]:
        seen = {"image": self._now.image, "goal_image": self._goal.image.copy()}
        return seen if self._now.state is None else {**seen, "observation": self._now.state}

    def _info(self, told: Mapping[str, Any], begins: bool = False) -> dict[str, Any]:
        reached, distance = self._judge.judge(self._now, self._goal, self._observe(), told, begins)
        return {**told, "is_success": reached, "distance": distance}


def _made(
    env: str | gym.Env | Callable[[], gym.Env] | None,
    options: Mapping[str, Any],
    render_mode: str | None,
) -> gym.Env:
    if env is None:
        raise ArmillaryError("name an environment: environment=PACKAGE_MODULE:Id-v0")
    if isinstance(env, gym.Env):
        return env
    if not isinstance(env, str):
        return env()
    mode = {} if render_mode is None else {"render_mode": render_mode}
    settings = {"max_episode_steps": -1, "disable_env_checker": True, **mode, **options}
    try:
        return gym.make(env, **settings)
    except (gym.error.Error, ImportError, TypeError, ValueError) as error:
        raise ArmillaryError(f"cannot make the environment {env!r}: {error}") from error


def _bounded(space: spaces.Space[Any], bounds: Sequence[Any] | None) -> spaces.Space[Any]:
    """The space of actions: a bounded Box (A,) of numbers, or choices as they are."""
    coded = vectors(space)
    if not isinstance(space, spaces.Box):
        if bounds is not None:
            raise ArmillaryError(f"action_bounds are for a Box, and actions form {space}")
        return space
    if bounds is not None:
        if len(bounds) != 2:
            raise ArmillaryError(f"action_bounds must be [low, high], got {bounds}")
        try:
            given = [np.broadcast_to(np.asarray(end, np.float32), coded.shape) for end in bounds]
        except ValueError as error:
            raise ArmillaryError(
                f"action_bounds must be numbers or lists of {coded.shape[0]}, got {bounds}"
            ) from error
        low, high = np.maximum(coded.low, given[0]), np.minimum(coded.high, given[1])
        if not (low <= high).all():
            raise ArmillaryError(f"action_bounds {bounds} leave nothing of {space}")
        kind: Any = coded.dtype
        coded = spaces.Box(low.astype(kind), high.astype(kind), dtype=kind)
    if not coded.is_bounded():
        raise ArmillaryError(
            f"actions must be bounded, got {space}; action_bounds=[low, high] bounds them"
        )
    return spaces.Box(*ends(coded), dtype=np.float32)
