"""TowelPick: a gripper pushes or lifts objects in a bin to where a goal image shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.mujoco.variation import camera_named
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

Observation = dict[str, NDArray[Any]]


class TowelPickEnv(gym.Env[Any, Any]):
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
        fewest = num_objects if fewest_objects is None else fewest_objects
        for name, value, valid in (
            ("image_size", image_size, IMAGE_SIZES),
            ("num_objects", num_objects, range(1, MOST_OBJECTS + 1)),
            ("fewest_objects", fewest, range(1, num_objects + 1)),
            ("problems", problems, KINDS),
            ("supersampling", supersampling, range(1, 5)),
            ("reward_type", reward_type, ("sparse", "dense")),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
            *(("vary", name, VARIABLE) for name in vary),
        ):
            if value not in valid:
                raise ArmillaryError(f"{name} must be one of {[*valid]}, got {value!r}")
        if not action_noise >= 0.0:
            raise ArmillaryError(
                f"action_noise must be a standard deviation >= 0, got {action_noise}"
            )
        camera_named(camera, CAMERAS)
        self.image_size = image_size
        self.num_objects = num_objects
        self.action_noise = action_noise
        self.supersampling = supersampling
        self.reward_type = reward_type
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        self._counts, self._camera, self._vary = (fewest, num_objects), camera, tuple(vary)
        self._problems = problems
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        poses, places = (GRIPPER + POSE * num_objects,), (3 * num_objects,)
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": spaces.Box(-np.inf, np.inf, poses, np.float64),
                "achieved_goal": spaces.Box(-np.inf, np.inf, places, np.float64),
                "desired_goal": spaces.Box(-np.inf, np.inf, places, np.float64),
            }
        )
        self._scene: Scene = np.zeros(scene_size(num_objects))
        self._goal: Scene = np.zeros(scene_size(num_objects))
        self._goal_image = self._image = np.zeros(image.shape, np.uint8)
        self._labels = np.zeros(image.shape[:2], np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Poses a new problem; see the class for the options."""
        super().reset(seed=seed)
        rng = self.np_random
        factors = Factors.sample(rng, self._counts, self._camera, self._vary, options or {})
        self._begin(*sample_problem(rng, factors, self.num_objects, self._problems))
        return self._observe(), self._info()

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots.

        Raises:
            ArmillaryError: one is no snapshot, they are of other objects, the start is solved, or
                the goal's image hides an object that is to be moved.
        """
        scene, goal = (checked(one, self.num_objects) for one in (scene, goal))
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
        self._begin(scene, goal)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves the gripper. Raises ArmillaryError unless the action is (4,), in [-1, 1]."""
        wanted = np.asarray(action, np.float64)
        if wanted.shape != (4,):
            raise ArmillaryError(f"action must have shape (4,), got {wanted.shape}")
        if not (np.abs(wanted) <= 1.0 + 1e-6).all():
            raise ArmillaryError(f"action must be finite and in [-1, 1], got {wanted.tolist()}")
        if self.action_noise > 0.0:
            wanted = wanted + self.np_random.normal(0.0, self.action_noise, 4)
        self._show(physics.step(self._scene, wanted))
        info, observation = self._info(), self._observe()
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        terminated = bool(info["is_success"]) and self.terminate_on_success
        return observation, float(reward), terminated, False, info

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any
    ) -> NDArray[np.float64]:
        """The reward of (..., 3 n) object positions; batched, for hindsight relabelling."""
        distance = _largest_distance(achieved_goal, desired_goal)
        if self.reward_type == "dense":
            return -distance
        return -(distance >= TOLERANCE).astype(np.float64)

    def snapshot(self) -> Scene:
        """The full physics state, a flat vector; ``restore`` continues from it bit for bit."""
        return self._scene.copy()

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        self._show(checked(scene, self.num_objects))

    @property
    def goal_scene(self) -> Scene:
        """The goal's scene vector."""
        return self._goal.copy()

    @property
    def oracle(self) -> TowelOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return TowelOracle(self.image_size, self.action_noise, self.supersampling)

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels: 0 the bin, 1 the gripper, 2 + i object i."""
        return self._labels.copy()

    @property
    def tolerance(self) -> float:
        """How far from its place an object may be in the image, in image widths."""
        return 0.06

    def places(self) -> NDArray[np.float64]:
        """(2 + n, 2): x and y in the image of every label; absent objects are in the middle."""
        return self.oracle.poses(self._scene[None])[0, :, :2]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        if self.render_mode != "rgb_array":
            return None
        return render_scene(self._scene, 256, self.supersampling)[0]

    def _begin(self, scene: Scene, goal: Scene) -> None:
        self._goal = goal
        self._goal_image, _ = render_scene(goal, self.image_size, self.supersampling)
        self._show(scene)

    def _show(self, scene: Scene) -> None:
        self._scene = scene
        self._image, self._labels = render_scene(scene, self.image_size, self.supersampling)

    def _observe(self) -> Observation:
        return {
            "image": self._image.copy(),
            "goal_image": self._goal_image.copy(),
            "observation": np.append(gripper_of(self._scene), self._padded(poses_of(self._scene))),
            "achieved_goal": self._padded(positions_of(self._scene)),
            "desired_goal": self._padded(positions_of(self._goal)),
        }

    def _padded(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(c, m) of the objects that there are -> (m n,)."""
        padded = np.zeros((self.num_objects, rows.shape[1]))
        padded[: len(rows)] = rows
        return padded.reshape(-1)

    def _info(self) -> dict[str, Any]:
        distance = _largest_distance(
            positions_of(self._scene).reshape(-1), positions_of(self._goal).reshape(-1)
        )
        return {"is_success": bool(distance < TOLERANCE), "distance": float(distance)}


def _largest_distance(
    achieved: NDArray[np.float64], desired: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Largest distance of an object to its place of (..., 3 n) positions."""
    offsets = (achieved - desired).reshape(*achieved.shape[:-1], -1, 3)
    return np.linalg.norm(offsets, axis=-1).max(-1)
