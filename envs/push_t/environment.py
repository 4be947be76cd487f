"""PushT: push a T to where a goal image shows it, by the field's constants and criterion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.actions import unit_action
from armillary.envs.goal_env import GoalEnv, Observation
from armillary.envs.options import is_one_of, snapshot_of
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


class PushTEnv(GoalEnv):
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

    Labels of ``segmentation``: 0 background and goal region, 1 agent, 2 the T.

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
    distance_threshold = 1.0
    tolerance = PLACE_TOLERANCE / ARENA

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
        if not is_one_of(image_size, IMAGE_SIZES):
            raise ArmillaryError(f"image_size must be one of {IMAGE_SIZES}, got {image_size!r}")
        if reward_type not in ("sparse", "dense"):
            raise ArmillaryError(f"reward_type must be 'sparse' or 'dense', got {reward_type!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ArmillaryError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        if budget is not None and budget < 1:
            raise ArmillaryError(f"budget must be at least 1 control step, got {budget}")
        check_names(vary)
        super().__init__(
            SCENE_SIZE,
            spaces.Box(-_FAR, _FAR, (TOLD,), np.float64),
            spaces.Box(-_FAR, _FAR, (_POSES,), np.float64),
            image_size=image_size,
            reward_type=reward_type,
            terminate_on_success=terminate_on_success,
            render_mode=render_mode,
        )
        self.action = action
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._hold = hold_of(action)
        self._problems = Problems(problems, distance, episodes)
        self._budget = 2 * distance if budget is None else budget
        self._draw_goal, self._vary = draw_goal, tuple(vary)
        self._touched, self._steps = False, 0

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both scene vectors of ``physics``, and starts to count."""
        if self._draw_goal:
            goal = self._checked(goal)
            scene, goal = with_region(self._checked(scene), goal), with_region(goal, goal)
        super().pose(scene, goal)
        self._touched, self._steps = False, 0

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Sends the agent. Raises ArmillaryError unless the action is (2,), finite, in [-1, 1]."""
        observation, reward, ended, _, info = super().step(action)
        return observation, reward, ended, self._steps >= self._budget, info

    @property
    def oracle(self) -> PushTOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return PushTOracle(self.image_size, self.action)

    def _sample(self, options: Mapping[str, Any]) -> tuple[Scene, Scene]:
        factors = Factors.sample(self.np_random, self._vary, options)
        return self._problems.draw(self.np_random, factors)

    def _checked(self, scene: Scene) -> Scene:
        scene = snapshot_of(scene, SCENE_SIZE, "a snapshot")
        for what, value, (low, high) in (
            ("radius of the agent", scene[10], RADIUS_RANGE),
            ("scale of the T", scene[11], SCALE_RANGE),
        ):
            if not low <= value <= high:
                raise ArmillaryError(
                    f"the {what} in a snapshot lies in [{low}, {high}], got {value}"
                )
        return scene

    def _moved(self, action: NDArray[np.float32]) -> Scene:
        target = target_of(self._scene, unit_action(action, 2))
        scenes = control(self._scene, [target] * self._hold)
        reached = tolerances(scenes[:, :_POSES], self._goal[:_POSES]) < 1.0
        self._touched = bool(reached.any())
        ends = self._touched and self.terminate_on_success
        taken = int(reached.argmax()) + 1 if ends else self._hold
        self._steps += taken
        return scenes[taken - 1].copy()

    def _draw(self, scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_scene(scene, size)

    def _positions(self, scene: Scene) -> NDArray[np.float64]:
        return scene[:_POSES]

    def _told(self) -> NDArray[np.float64]:
        return self._scene[:TOLD]

    def _distance(
        self, achieved: NDArray[np.float64], desired: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return tolerances(achieved, desired)

    def _info(self) -> dict[str, Any]:
        distance = super()._info()["distance"]
        return {
            "is_success": self._touched,
            "at_goal": distance < 1.0,
            "distance": distance,
            "control_steps": self._steps,
        }
