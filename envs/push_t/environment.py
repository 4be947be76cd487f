"""PushT: push a T to where a goal image shows it, by the field's constants and criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.push_t.criterion import PLACE_TOLERANCE, tolerances
from armillary.envs.push_t.drawing import render_scene
from armillary.envs.push_t.layout import (
    RADIUS_RANGE,
    SCALE_RANGE,
    Factors,
    check_names,
    with_region,
)
from armillary.envs.push_t.oracle import PushTOracle, hold_of
from armillary.envs.push_t.physics import ARENA, SCENE_SIZE, Scene, control, target_of
from armillary.envs.push_t.problems import Problems
from armillary.envs.push_t.recorded import TOLD
from armillary.errors import ArmillaryError

IMAGE_SIZES = (64, 96, 128)
_POSES = 5
_FAR = 1e5

Observation = dict[str, NDArray[Any]]


class PushTEnv(gym.Env[Any, NDArray[np.float32]]):
    """An agent and a T in a square arena, seen from above.

    Physics and criterion are gym-pusht's, DINO-WM's and stable-worldmodel's, see ``physics`` and
    ``criterion``; images are drawn here, so that every pixel is known to be agent, T or neither.
    Lengths are in pixels of an arena of 512; x points right, y down, as in the image.

    Action: ``Box(-1, 1, (2,))``, where the agent is sent, seen from where it is, in 100 pixels;
    targets outside the arena are brought to its edge. Of the kind ``held`` it is kept for five
    control steps, and the criterion is looked at after each of them. Of the kind ``per_step`` it
    lasts one control step, as DINO-WM's and stable-worldmodel's relative actions do.

    Observation (Dict):
        image, goal_image: (S, S, 3) uint8.
        observation: (12,) agent x and y, T x, y and angle, velocity of the agent, velocity and
            angular velocity of the T, radius of the agent, scale of the T.
        achieved_goal, desired_goal: (5,) agent x and y, T x, y and angle.

    Reward: 0 where agent and T, as one vector, are less than 20 from the goal, and the angle less
    than 20 degrees, else -1 (``reward_type="sparse"``), or minus the greater of both in units of
    those tolerances (``"dense"``). Success ends the episode at that very control step unless
    ``terminate_on_success=False``. ``info`` has ``is_success`` (touched during the action),
    ``at_goal`` (reached when the action ends), ``distance`` (in tolerances: below 1 at the goal)
    and ``control_steps`` (since the start).

    Args:
        image_size: 64, 96 or 128.
        action: kind of the actions, ``held`` or ``per_step``.
        problems: ``episode`` or ``clean``, see ``problems.Problems``.
        distance: control steps of recorded play from start to goal: 25, 50 or 75.
        episodes: path of a file of episodes that problems are taken from; None plays some.
        budget: control steps until the episode is cut off; None for twice the distance.
        draw_goal: whether the place of the T at the goal is drawn into the images.
        vary: names of factors of variation that are drawn anew for every problem.
        reward_type: ``"sparse"`` or ``"dense"``.
        terminate_on_success: whether success ends the episode.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).

    ``reset(options=...)`` fixes factors of variation, see ``layout.Factors``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        image_size: int = 64,
        action: str = "held",
        problems: str = "episode",
        distance: int = 25,
        episodes: str | None = None,
        budget: int | None = None,
        draw_goal: bool = False,
        vary: Sequence[str] = (),
        reward_type: str = "sparse",
        terminate_on_success: bool = True,
        render_mode: str | None = None,
    ) -> None:
        if image_size not in IMAGE_SIZES:
            raise ArmillaryError(f"image_size must be one of {IMAGE_SIZES}, got {image_size}")
        if reward_type not in ("sparse", "dense"):
            raise ArmillaryError(f"reward_type must be 'sparse' or 'dense', got {reward_type!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ArmillaryError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        if budget is not None and budget < 1:
            raise ArmillaryError(f"budget must be at least 1 control step, got {budget}")
        check_names(vary)
        self.image_size = image_size
        self.action = action
        self.reward_type = reward_type
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        self._hold = hold_of(action)
        self._problems = Problems(problems, distance, episodes)
        self._budget = 2 * distance if budget is None else budget
        self._draw_goal, self._vary = draw_goal, tuple(vary)
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        pose = spaces.Box(-_FAR, _FAR, (_POSES,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": spaces.Box(-_FAR, _FAR, (TOLD,), np.float64),
                "achieved_goal": pose,
                "desired_goal": pose,
            }
        )
        self._scene: Scene = np.zeros(SCENE_SIZE)
        self._goal: Scene = np.zeros(SCENE_SIZE)
        self._goal_image = self._image = np.zeros(image.shape, np.uint8)
        self._labels = np.zeros(image.shape[:2], np.uint8)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Poses a new problem; see the class for the options."""
        super().reset(seed=seed)
        factors = Factors.sample(self.np_random, self._vary, options or {})
        self.pose(*self._problems.draw(self.np_random, factors))
        return self._observe(), self._info(touched=False)

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both scene vectors of ``physics``, and starts to count."""
        goal = _checked(goal)
        if self._draw_goal:
            scene, goal = with_region(_checked(scene), goal), with_region(goal, goal)
        self.restore(scene)
        self._goal = goal
        self._goal_image, _ = render_scene(goal, self.image_size)
        self._steps = 0

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Sends the agent. Raises ArmillaryError unless the action is (2,), finite, in [-1, 1]."""
        sent = np.asarray(action, dtype=np.float64)
        if sent.shape != (2,):
            raise ArmillaryError(f"action must have shape (2,), got {sent.shape}")
        if not (np.abs(sent) <= 1.0 + 1e-6).all():
            raise ArmillaryError(f"action must be finite and in [-1, 1], got {sent.tolist()}")
        scenes = control(self._scene, [target_of(self._scene, sent)] * self._hold)
        reached = tolerances(scenes[:, :_POSES], self._goal[:_POSES]) < 1.0
        touched = bool(reached.any())
        ended = touched and self.terminate_on_success
        taken = int(reached.argmax()) + 1 if ended else self._hold
        self._steps += taken
        self._show(scenes[taken - 1])
        info, observation = self._info(touched), self._observe()
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        return observation, float(reward), ended, self._steps >= self._budget, info

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any
    ) -> NDArray[np.float64]:
        """The reward of (..., 5) poses; batched, for hindsight relabelling."""
        distance = tolerances(achieved_goal, desired_goal)
        return -distance if self.reward_type == "dense" else -(distance >= 1.0).astype(np.float64)

    def snapshot(self) -> Scene:
        """The full state, a flat vector; ``restore`` continues from it bit for bit."""
        return self._scene.copy()

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        self._show(_checked(scene))

    @property
    def goal_scene(self) -> Scene:
        """The goal's scene vector."""
        return self._goal.copy()

    @property
    def oracle(self) -> PushTOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return PushTOracle(self.image_size, self.action)

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels: 0 background and goal region, 1 agent, 2 the T."""
        return self._labels.copy()

    @property
    def tolerance(self) -> float:
        """How far from its goal a thing may be, in arena widths."""
        return PLACE_TOLERANCE / ARENA

    def places(self) -> NDArray[np.float64]:
        """(3, 2): x and y of every label; the background is in the middle."""
        return self.oracle.poses(self._scene[None])[0, :, :2]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        return render_scene(self._scene, 256)[0] if self.render_mode == "rgb_array" else None

    def _show(self, scene: Scene) -> None:
        self._scene = scene.copy()
        self._image, self._labels = render_scene(scene, self.image_size)

    def _observe(self) -> Observation:
        return {
            "image": self._image.copy(),
            "goal_image": self._goal_image.copy(),
            "observation": self._scene[:TOLD].copy(),
            "achieved_goal": self._scene[:_POSES].copy(),
            "desired_goal": self._goal[:_POSES].copy(),
        }

    def _info(self, touched: bool) -> dict[str, Any]:
        distance = float(tolerances(self._scene[:_POSES], self._goal[:_POSES]))
        return {
            "is_success": touched,
            "at_goal": distance < 1.0,
            "distance": distance,
            "control_steps": self._steps,
        }


def _checked(scene: Scene) -> Scene:
    """A copy of a snapshot. Raises ArmillaryError for a vector that is none."""
    scene = np.array(scene, dtype=np.float64)
    if scene.shape != (SCENE_SIZE,) or not np.isfinite(scene).all():
        raise ArmillaryError(f"a snapshot is {SCENE_SIZE} finite numbers, got shape {scene.shape}")
    for what, value, (low, high) in (
        ("radius of the agent", scene[10], RADIUS_RANGE),
        ("scale of the T", scene[11], SCALE_RANGE),
    ):
        if not low <= value <= high:
            raise ArmillaryError(f"the {what} in a snapshot lies in [{low}, {high}], got {value}")
    return scene
