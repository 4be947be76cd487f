"""TowelPick: a gripper pushes or lifts objects in a bin to where a goal image shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.actions import unit_action
from armillary.envs.goal_env import GoalEnv
from armillary.envs.options import check_choices, known
from armillary.envs.towel_pick import physics
from armillary.envs.towel_pick.drawing import render_scene
from armillary.envs.towel_pick.factors import CAMERAS, VARIABLE, Factors
from armillary.envs.towel_pick.layout import KINDS, hidden, sample_problem
from armillary.envs.towel_pick.oracle import TowelOracle
from armillary.envs.towel_pick.scene import (
    GRIPPER,
    MOST_OBJECTS,
    POSE,
    Scene,
    checked,
    gripper_of,
    looks_of,
    poses_of,
    positions_of,
    scene_size,
)
from armillary.errors import ArmillaryError

IMAGE_SIZES = (64, 96, 128)
TOLERANCE = 0.04
"""How far from its place an object may be, in metres."""


class TowelPickEnv(GoalEnv):
    """A gripper over a bin of 1 to 6 objects, seen as in BAIR's videos of robots.

    Lengths are in metres: x points right, y away from the camera, z up; the bin is half a metre
    wide. One object has to be pushed over the floor by 10 to 20 cm, or to be held up, and the
    others to stay: the goal is what a push or a lift by script really led to.

    Action: ``Box(-1, 1, (4,))``, the displacement of the gripper along x, y and z in units of 5 cm,
    and how far its fingers close, in units of 2.5 cm each. Zeros do nothing; what is held stays
    held. Gaussian noise is added to every action, as the published models assume of BAIR's.

    Observation (Dict), n being ``num_objects``:
        image, goal_image: (S, S, 3) uint8.
        observation: (5 + 7 n,) x, y, z between the fingertips and the opening of both fingers, then
            x, y, z and a quaternion of each object.
        achieved_goal, desired_goal: (3 n,) x, y, z of each object. Absent objects are zeros
        everywhere.

    Labels of ``segmentation``: 0 the bin, 1 the gripper, 2 + i object i.

    Reward: 0 when every object is within 4 cm of its place, else -1 (``reward_type="sparse"``), or
    minus the largest such distance (``"dense"``). Success ends the episode unless
    ``terminate_on_success=False``. ``info`` has ``is_success`` and ``distance`` (the largest, in
    metres).

    Args:
        image_size: 64, 96 or 128.
        num_objects: objects in a scene, unless ``reset(options={"num_objects": n})`` says fewer.
        fewest_objects: where it is given, each scene has a number of objects from it to
            ``num_objects``, all equally likely.
        problems: ``push`` or ``lift``.
        action_noise: standard deviation of the noise.
        camera: ``front`` or ``above``.
        vary: which of ``shapes``, ``sizes``, ``colors`` and ``camera`` are drawn from a range in
            each scene.
        supersampling: rays along each side of a pixel.
        reward_type: ``"sparse"`` or ``"dense"``.
        terminate_on_success: whether success ends the episode.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).

    ``reset(options=...)`` fixes factors of variation: ``num_objects``, ``camera``, and ``shapes``
    (``box``, ``cylinder``, ``capsule``, ``ellipsoid``), ``sizes`` (in metres) and ``colors`` (names
    or RGB), one entry per object.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    axes = 3
    distance_threshold = TOLERANCE
    tolerance = 0.06

    def __init__(
        self,
        image_size: int = 64,
        num_objects: int = 4,
        fewest_objects: int | None = None,
        problems: str = "push",
        action_noise: float = 0.05,
        camera: str = "front",
        vary: Sequence[str] = (),
        supersampling: int = 1,
        reward_type: str = "sparse",
        terminate_on_success: bool = True,
        render_mode: str | None = None,
    ) -> None:
        check_choices(("num_objects", num_objects, range(1, MOST_OBJECTS + 1)))
        fewest = num_objects if fewest_objects is None else fewest_objects
        check_choices(
            ("image_size", image_size, IMAGE_SIZES),
            ("fewest_objects", fewest, range(1, num_objects + 1)),
            ("problems", problems, KINDS),
            ("supersampling", supersampling, range(1, 5)),
            ("reward_type", reward_type, ("sparse", "dense")),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
            *(("vary", name, VARIABLE) for name in vary),
        )
        if not action_noise >= 0.0:
            raise ArmillaryError(
                f"action_noise must be a standard deviation >= 0, got {action_noise}"
            )
        known("camera", camera, CAMERAS)
        super().__init__(
            scene_size(num_objects),
            spaces.Box(-np.inf, np.inf, (GRIPPER + POSE * num_objects,), np.float64),
            spaces.Box(-np.inf, np.inf, (self.axes * num_objects,), np.float64),
            image_size=image_size,
            reward_type=reward_type,
            terminate_on_success=terminate_on_success,
            render_mode=render_mode,
        )
        self.num_objects = num_objects
        self.action_noise = action_noise
        self.supersampling = supersampling
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._counts, self._camera, self._vary = (fewest, num_objects), camera, tuple(vary)
        self._problems = problems

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots.

        Raises:
            ArmillaryError: one is no snapshot, they are of other objects, the start is solved, or
                the goal's image hides an object that is to be moved.
        """
        scene, goal = self._checked(scene), self._checked(goal)
        if not np.array_equal(looks_of(scene), looks_of(goal)):
            raise ArmillaryError("scene and goal must be of the same objects, which look alike")
        apart = np.linalg.norm(positions_of(scene) - positions_of(goal), axis=1)
        if (apart < TOLERANCE).all():
            raise ArmillaryError(
                f"the start is solved: every object is within {TOLERANCE} m of its place, the "
                f"largest distance is {apart.max():.3f} m"
            )
        unseen = [index for index in hidden(goal) if apart[index] >= TOLERANCE]
        if unseen:
            raise ArmillaryError(
                f"the goal's image hides object {unseen[0]}, which is to be moved: let the gripper "
                "stand aside in the goal"
            )
        super().pose(scene, goal)

    @property
    def oracle(self) -> TowelOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return TowelOracle(self.image_size, self.action_noise, self.supersampling)

    def _sample(self, options: Mapping[str, Any]) -> tuple[Scene, Scene]:
        factors = Factors.sample(self.np_random, self._counts, self._camera, self._vary, options)
        return sample_problem(self.np_random, factors, self.num_objects, self._problems)

    def _checked(self, scene: Scene) -> Scene:
        return checked(scene, self.num_objects)

    def _moved(self, action: NDArray[np.float32]) -> Scene:
        wanted = unit_action(action, 4)
        if self.action_noise > 0.0:
            wanted = wanted + self.np_random.normal(0.0, self.action_noise, 4)
        return physics.step(self._scene, wanted)

    def _draw(self, scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_scene(scene, size, self.supersampling)

    def _positions(self, scene: Scene) -> NDArray[np.float64]:
        return positions_of(scene)

    def _told(self) -> NDArray[np.float64]:
        return np.append(gripper_of(self._scene), poses_of(self._scene))
