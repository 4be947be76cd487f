"""What tasks share whose goal is a scene: they show it as an image and as positions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.errors import ArmillaryError

Observation = dict[str, NDArray[Any]]
Scene = NDArray[np.float64]

_RENDERED = 256


class GoalEnv(gym.Env[Any, Any], ABC):
    """A task (``armillary.envs.task``) with the keys and the reward of Gymnasium-Robotics' GoalEnv.

    A scene is a flat vector (n,), which holds the full state of the physics. A task says how scenes
    are drawn at random, checked, moved by actions, painted and read.

    Observation (Dict), S being ``image_size``:
        image, goal_image: (S, S, 3) uint8.
        observation: (P,) what the task tells of its scene.
        achieved_goal, desired_goal: (G,) the positions of things now and in the goal. What belongs
        to absent things is zero.

    Reward: 0 when the distance to the goal is below ``distance_threshold``, else -1
    (``reward_type="sparse"``), or minus the distance (``"dense"``). Success ends the episode unless
    ``terminate_on_success`` is false.

    Args:
        scene_size: n.
        observation: the space of ``observation``.
        goal: that of ``achieved_goal`` and ``desired_goal``.
        image_size: H = W of the images, in pixels.
        reward_type: ``"sparse"`` or ``"dense"``.
        terminate_on_success: whether success ends the episode.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).

    Attributes:
        axes: numbers of a position.
        distance_threshold: the distance to the goal below which it is reached.
        tolerance: how far from its place a thing may be that is there, in image widths.
    """

    axes: ClassVar[int] = 2
    distance_threshold: ClassVar[float]
    tolerance: ClassVar[float]

    def __init__(
        self,
        scene_size: int,
        observation: spaces.Box,
        goal: spaces.Box,
        *,
        image_size: int,
        reward_type: str,
        terminate_on_success: bool,
        render_mode: str | None,
    ) -> None:
        self.image_size = image_size
        self.reward_type = reward_type
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": observation,
                "achieved_goal": goal,
                "desired_goal": goal,
            }
        )
        self._told_shape, self._goal_shape = observation.shape, goal.shape
        self._posed = False
        self._scene: Scene = np.zeros(scene_size)
        self._goal: Scene = np.zeros(scene_size)
        self._goal_image = self._image = np.zeros(image.shape, np.uint8)
        self._labels = np.zeros(image.shape[:2], np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Poses a new problem; see the class for the options."""
        super().reset(seed=seed)
        self.pose(*self._sample(options or {}))
        return self._observe(), self._info()

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots. Raises ArmillaryError for what is none."""
        scene, goal = self._checked(scene), self._checked(goal)
        self.restore(scene)
        self._goal = goal
        self._goal_image, _ = self._draw(goal, self.image_size)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Takes (A,).

        Raises:
            ArmillaryError: the action is not within the action space, or nothing was posed yet.
        """
        if not self._posed:
            raise ArmillaryError("reset poses a problem, and comes before step")
        self._show(self._moved(action))
        info, observation = self._info(), self._observe()
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        ended = info["is_success"] and self.terminate_on_success
        return observation, float(reward), ended, False, info

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any
    ) -> NDArray[np.float64]:
        """The reward (...) of (..., G) positions; batched, for hindsight relabelling."""
        distance = self._distance(achieved_goal, desired_goal)
        if self.reward_type == "dense":
            return -distance
        return -(distance >= self.distance_threshold).astype(np.float64)

    def snapshot(self) -> Scene:
        """(n,) the full state; ``restore`` goes on from it bit for bit, but for noise."""
        return self._scene.copy()

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        self._show(self._checked(scene))
        self._posed = True

    @property
    def goal_scene(self) -> Scene:
        """(n,) the snapshot that the goal image shows."""
        return self._goal.copy()

    @property
    @abstractmethod
    def oracle(self) -> Any:
        """The true physics, for a simulator that is the ceiling of every benchmark."""

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels, 0 for the background; see the class for the others."""
        return self._labels.copy()

    def places(self) -> NDArray[np.float64]:
        """(L, 2): x and y in the image of the thing of every label.

        The background and absent things are in the middle.
        """
        return self.oracle.poses(self._scene[None])[0, :, :2]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        return self._draw(self._scene, _RENDERED)[0] if self.render_mode == "rgb_array" else None

    @abstractmethod
    def _sample(self, options: Mapping[str, Any]) -> tuple[Scene, Scene]:
        """A start and a goal scene, of which ``options`` fixes factors of variation."""

    @abstractmethod
    def _checked(self, scene: Scene) -> Scene:
        """A copy of a snapshot. Raises ArmillaryError for a vector that is none."""

    @abstractmethod
    def _moved(self, action: NDArray[np.float32]) -> Scene:
        """The scene after an action. Raises ArmillaryError for what is none."""

    @abstractmethod
    def _draw(self, scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The frame (H, W, 3) of a scene and its labels (H, W), H = W = ``size`` pixels."""

    @abstractmethod
    def _positions(self, scene: Scene) -> NDArray[np.float64]:
        """(c, axes) of the things that there are, and that have a place in the goal."""

    @abstractmethod
    def _told(self) -> NDArray[np.float64]:
        """What is observed of the scene, as many numbers as there are things for."""

    def _distance(
        self, achieved: NDArray[np.float64], desired: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(..., G) -> (...): how far the furthest thing is from its place."""
        offsets = (achieved - desired).reshape(*achieved.shape[:-1], -1, self.axes)
        return np.linalg.norm(offsets, axis=-1).max(-1)

    def _info(self) -> dict[str, Any]:
        distance = float(self._distance(*self._goals()))
        return {"is_success": distance < self.distance_threshold, "distance": distance}

    def _observe(self) -> Observation:
        achieved, desired = self._goals()
        return {
            "image": self._image.copy(),
            "goal_image": self._goal_image.copy(),
            "observation": _filled(self._told_shape, self._told()),
            "achieved_goal": achieved,
            "desired_goal": desired,
        }

    def _goals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(G,) what is achieved, and what is desired."""
        shape = self._goal_shape
        achieved, desired = self._positions(self._scene), self._positions(self._goal)
        return _filled(shape, achieved), _filled(shape, desired)

    def _show(self, scene: Scene) -> None:
        self._scene = scene
        self._image, self._labels = self._draw(scene, self.image_size)


def _filled(shape: tuple[int, ...], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers in a row, then zeros."""
    filled = np.zeros(shape)
    filled[: numbers.size] = numbers.reshape(-1)
    return filled
