"""Environments as somebody else might have written them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Walk(gym.Env[Any, Any]):
    """A square that is pushed over a grey ground; shows itself by ``render`` alone.

    Args:
        actions: the action space.
        told: whether observations are the square's place, else they are nothing.
        render_mode: as usual.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        actions: spaces.Space[Any] | None = None,
        told: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.action_space = actions or spaces.Box(-np.inf, np.inf, (2,), np.float64)
        place = spaces.Box(0.0, 1.0, (2,), np.float64)
        self.observation_space = place if told else spaces.Discrete(1)
        self.told, self.render_mode = told, render_mode
        self.place, self.closed, self.steps = np.full(2, 0.5), False, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(0.1, 0.9, 2), 0
        return self.observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        if isinstance(self.action_space, spaces.Discrete):
            move = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])[action]
        elif isinstance(self.action_space, spaces.MultiDiscrete):
            move = np.asarray(action) - 1
        else:
            move = np.asarray(action).ravel()
        self.steps += 1
        self.place = np.clip(self.place + 0.1 * move, 0.0, 1.0)
        corner = bool((self.place < 0.02).all())
        return self.observe(), 1.0, corner, False, {"is_success": self.place[0] > 0.9}

    def observe(self) -> Any:
        return self.place.copy() if self.told else 0

    def render(self) -> Any:
        image = np.full((40, 60, 3), 90, np.uint8)
        x, y = (self.place * [45, 30]).astype(int)
        image[y : y + 10, x : x + 15] = [250, 220, 30]
        return image

    def close(self) -> None:
        self.closed = True


class Pixels(Walk):
    """The same; its observation is the image."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.observation_space = spaces.Box(0, 255, (40, 60, 3), np.uint8)

    def observe(self) -> Any:
        return self.render()


gym.register("toys/Walk-v0", "tests.envs.toys:Walk", max_episode_steps=3)
gym.register("toys/Steps-v0", "tests.envs.toys:Walk", kwargs={"actions": spaces.Discrete(5)})
