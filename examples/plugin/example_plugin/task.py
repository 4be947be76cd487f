"""A task: move a light to where the goal image shows it; and what collects data in it."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary import ArmillaryError
from armillary.plugins import register

_WIDTH, _STEP, _NEAR = 0.12, 0.1, 0.1


@register("task", "example_plugin")
class Light(gym.Env):
    """A light in a dark room, pushed by (x right, y down).

    ``settings`` is what the YAML of a task says but for its name and the environment's id.

    Args:
        image_size: H = W of the images in pixels.
        render_mode: None or ``rgb_array``.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (as Env has it)
    settings: ClassVar[dict[str, Any]] = {
        "environment": {"image_size": 16},
        "max_steps": 12,
        "recommended": {
            "planner": "example_plugin",
            "objective": "example_plugin",
            "horizon": 6,
            "replan_interval": 2,
        },
        "length": 8,
        "policy": "random",
        "policies": {"random": {"_target_": "example_plugin.task.RandomPushes"}},
        "action_meaning": f"push of the light (x right, y down) in units of {_STEP} image widths",
        "pose_meaning": "x and y of the light in [0, 1] of the image",
    }

    def __init__(self, image_size: int = 16, render_mode: str | None = None) -> None:
        if image_size < 8:
            raise ArmillaryError(f"image_size must be at least 8, got {image_size}")
        self.image_size = image_size
        self.render_mode = render_mode
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        place = spaces.Box(0.0, 1.0, (2,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": place,
                "achieved_goal": place,
                "desired_goal": place,
            }
        )
        self._place, self._goal = np.full(2, 0.5), np.full(2, 0.5)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Puts the light and its goal at least three tenths of the image apart."""
        super().reset(seed=seed)
        self._place, self._goal = self.np_random.uniform(0.1, 0.9, (2, 2))
        while np.linalg.norm(self._place - self._goal) < 0.3:
            self._goal = self.np_random.uniform(0.1, 0.9, 2)
        return self._observe(), self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Pushes the light; walls hold it."""
        if not self.action_space.contains(np.asarray(action, np.float32)):
            raise ArmillaryError(f"action must be two numbers in [-1, 1], got {action}")
        self._place = np.clip(self._place + _STEP * np.asarray(action, np.float64), 0.0, 1.0)
        info = self._info()
        return self._observe(), -info["distance"], info["is_success"], False, info

    def snapshot(self) -> NDArray[np.float64]:
        """The full state: where the light is."""
        return self._place.copy()

    def segmentation(self) -> NDArray[np.uint8]:
        """(H, W) labels: 0 the room, 1 the light."""
        return (self._draw(self._place)[..., 0] > 127).astype(np.uint8)

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The image where ``render_mode`` is ``rgb_array``."""
        return self._draw(self._place) if self.render_mode == "rgb_array" else None

    def _observe(self) -> dict[str, Any]:
        return {
            "image": self._draw(self._place),
            "goal_image": self._draw(self._goal),
            "observation": self._place.copy(),
            "achieved_goal": self._place.copy(),
            "desired_goal": self._goal.copy(),
        }

    def _info(self) -> dict[str, Any]:
        distance = float(np.linalg.norm(self._place - self._goal))
        return {"is_success": distance < _NEAR, "distance": distance}

    def _draw(self, place: NDArray[np.float64]) -> NDArray[np.uint8]:
        line = (np.arange(self.image_size) + 0.5) / self.image_size
        squared = (line[None, :] - place[0]) ** 2 + (line[:, None] - place[1]) ** 2
        light = np.exp(-squared / (2 * _WIDTH**2))
        return (255 * light[..., None] * np.array([1.0, 0.9, 0.6])).astype(np.uint8)


class RandomPushes:
    """Chooses every push by itself."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def reset(self, rng: np.random.Generator) -> None:
        """Starts an episode; every later draw comes from ``rng``."""
        self._rng = rng

    def act(self, scene: NDArray[np.float64]) -> NDArray[np.float32]:
        """(2,) in [-1, 1]."""
        return self._rng.uniform(-1.0, 1.0, 2).astype(np.float32)
