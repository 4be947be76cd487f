"""StackBlocks: pick blocks up and put them down until they stand as a goal image shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.mujoco.variation import camera_named
from armillary.envs.stack_blocks import physics
from armillary.envs.stack_blocks.drawing import render_scene
from armillary.envs.stack_blocks.factors import CAMERAS, VARIABLE, Factors
from armillary.envs.stack_blocks.layout import sample_problem
from armillary.envs.stack_blocks.oracle import StackOracle
from armillary.envs.stack_blocks.scene import (
    MOST_BLOCKS,
    POSE,
    Scene,
    checked,
    poses_of,
    positions_of,
    scene_size,
)
from armillary.envs.stack_blocks.success import TOLERANCE, distances, op3_rule
from armillary.errors import ArmillaryError

IMAGE_SIZES = (64, 96, 128)

Observation = dict[str, NDArray[Any]]


class StackBlocksEnv(gym.Env[Any, Any]):
    """1 to 9 blocks on a table, seen from above and in front; OP3's block stacking in MuJoCo.

    Lengths are in the scene's units, a block being 0.8 wide: x from -2.5 to 2.5 points right, y
    from 1 to 4 away from the camera, z up. Up to three blocks all have to be moved, one by one; of
    more blocks one has, by a single action (Veerapaneni et al. 2019, arXiv:1910.12827).

    Action: ``Box`` (4,), x and y of the pick, then of the place; with ``heights`` (6,), x, y and z
    of both. A pick takes the highest block within 0.2 of it along each axis (with ``heights`` the
    nearest), and does nothing where there is none. Nothing ever lies at 0 <= y < 1, so that zeros
    do nothing.

    Observation (Dict), n being ``num_blocks``:
        image, goal_image: (S, S, 3) uint8.
        observation: (7 n,) x, y, z and a quaternion of each block.
        achieved_goal, desired_goal: (3 n,) x, y, z of each block. Absent blocks are zeros
        everywhere.

    Reward: 0 when every block is within 0.3 of its place, else -1 (``reward_type="sparse"``), or
    minus the largest such distance (``"dense"``). Success ends the episode unless
    ``terminate_on_success=False``. ``info`` has ``is_success``, ``distance`` (the largest),
    ``share`` (of the blocks that are within 0.3 of their places) and ``op3_rule`` (the share by
    OP3's own rule, see ``success``).

    Args:
        image_size: 64, 96 or 128.
        num_blocks: blocks in a scene, unless ``reset(options={"num_blocks": n})`` says fewer.
        fewest_blocks: where it is given, each scene has a number of blocks from it to
            ``num_blocks``, all equally likely.
        heights: whether actions name heights.
        camera: ``near`` or ``op3``.
        vary: which of ``colors``, ``sizes`` and ``camera`` are drawn from a range in each scene.
        supersampling: rays along each side of a pixel.
        reward_type: ``"sparse"`` or ``"dense"``.
        terminate_on_success: whether success ends the episode.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).

    ``reset(options=...)`` fixes factors of variation: ``num_blocks``, ``camera``, and ``colors``
    (names or RGB) and ``sizes`` (half sides), one entry per block.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012
    measures = ("share", "op3_rule")

    def __init__(
        self,
        image_size: int = 64,
        num_blocks: int = 3,
        fewest_blocks: int | None = None,
        heights: bool = False,
        camera: str = "near",
        vary: Sequence[str] = (),
        supersampling: int = 2,
        reward_type: str = "sparse",
        terminate_on_success: bool = True,
        render_mode: str | None = None,
    ) -> None:
        fewest = num_blocks if fewest_blocks is None else fewest_blocks
        for name, value, valid in (
            ("image_size", image_size, IMAGE_SIZES),
            ("num_blocks", num_blocks, range(1, MOST_BLOCKS + 1)),
            ("fewest_blocks", fewest, range(1, num_blocks + 1)),
            ("supersampling", supersampling, range(1, 5)),
            ("reward_type", reward_type, ("sparse", "dense")),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
            *(("vary", name, VARIABLE) for name in vary),
        ):
            if value not in valid:
                raise ArmillaryError(f"{name} must be one of {[*valid]}, got {value!r}")
        camera_named(camera, CAMERAS)
        self.image_size = image_size
        self.num_blocks = num_blocks
        self.heights = heights
        self.supersampling = supersampling
        self.reward_type = reward_type
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        self._counts, self._camera, self._vary = (fewest, num_blocks), camera, tuple(vary)
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        self.action_space = self._box = action_space(heights)
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": spaces.Box(-np.inf, np.inf, (POSE * num_blocks,), np.float64),
                "achieved_goal": spaces.Box(-np.inf, np.inf, (3 * num_blocks,), np.float64),
                "desired_goal": spaces.Box(-np.inf, np.inf, (3 * num_blocks,), np.float64),
            }
        )
        self._scene: Scene = np.zeros(scene_size(num_blocks))
        self._goal: Scene = np.zeros(scene_size(num_blocks))
        self._goal_image = np.zeros(image.shape, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Poses a new problem; see the class for the options."""
        super().reset(seed=seed)
        factors = Factors.sample(
            self.np_random, self._counts, self._camera, self._vary, options or {}
        )
        self.pose(*sample_problem(self.np_random, factors, self.num_blocks))
        return self._observe(), self._info()

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots. Raises ArmillaryError for what is none."""
        scene, goal = (checked(one, self.num_blocks) for one in (scene, goal))
        if scene[0] != goal[0]:
            raise ArmillaryError(
                f"scene and goal must have as many blocks, got {scene[0]:g} and {goal[0]:g}"
            )
        self._scene, self._goal = scene, goal
        self._goal_image, _ = self._drawn(goal)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Picks and places. Raises ArmillaryError unless the action is within the action space."""
        given, low, high = np.asarray(action, np.float64), self._box.low, self._box.high
        if given.shape != low.shape:
            raise ArmillaryError(f"action must have shape {low.shape}, got {given.shape}")
        if not ((given >= low - 1e-5) & (given <= high + 1e-5)).all():
            raise ArmillaryError(
                f"action must lie from {low.tolist()} to {high.tolist()}, got {given.tolist()}"
            )
        self._scene = physics.step(self._scene, given)
        info = self._info()
        observation = self._observe()
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        terminated = bool(info["is_success"]) and self.terminate_on_success
        return observation, float(reward), terminated, False, info

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any
    ) -> NDArray[np.float64]:
        """The reward of (..., 3 n) block positions; batched, for hindsight relabelling."""
        offsets = (achieved_goal - desired_goal).reshape(*achieved_goal.shape[:-1], -1, 3)
        distance = np.linalg.norm(offsets, axis=-1).max(-1)
        if self.reward_type == "dense":
            return -distance
        return -(distance >= TOLERANCE).astype(np.float64)

    def snapshot(self) -> Scene:
        """The full physics state, a flat vector; ``restore`` continues from it bit for bit."""
        return self._scene.copy()

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        self._scene = checked(scene, self.num_blocks)

    @property
    def goal_scene(self) -> Scene:
        """The goal's scene vector."""
        return self._goal.copy()

    @property
    def oracle(self) -> StackOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return StackOracle(self.image_size, self.heights, self.supersampling)

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels: 0 the table, 1 + i block i."""
        return self._drawn(self._scene)[1]

    @property
    def tolerance(self) -> float:
        """How far from its place a block may be in the image, in image widths."""
        return 0.05

    def places(self) -> NDArray[np.float64]:
        """(1 + n, 2): x and y in the image of every label; absent blocks are in the middle."""
        return self.oracle.poses(self._scene[None])[0, :, :2]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        if self.render_mode != "rgb_array":
            return None
        return render_scene(self._scene, 256, self.supersampling)[0]

    def _drawn(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_scene(scene, self.image_size, self.supersampling)

    def _observe(self) -> Observation:
        return {
            "image": self._drawn(self._scene)[0],
            "goal_image": self._goal_image.copy(),
            "observation": self._padded(poses_of(self._scene)),
            "achieved_goal": self._padded(positions_of(self._scene)),
            "desired_goal": self._padded(positions_of(self._goal)),
        }

    def _padded(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(c, m) of the blocks that there are -> (m n,)."""
        return np.pad(rows, ((0, self.num_blocks - len(rows)), (0, 0))).reshape(-1)

    def _info(self) -> dict[str, Any]:
        apart = distances(self._scene, self._goal)
        return {
            "is_success": bool((apart < TOLERANCE).all()),
            "distance": float(apart.max()),
            "share": float((apart < TOLERANCE).mean()),
            "op3_rule": op3_rule(self._scene, self._goal),
        }


def action_space(heights: bool) -> spaces.Box:
    """Of actions with or without heights, in the scene's units."""
    (left, right), (_, far) = physics.ARENA
    low, high = [left, physics.EDGE], [right, far]
    if heights:
        low, high = [*low, physics.HEIGHTS[0]], [*high, physics.HEIGHTS[1]]
    return spaces.Box(np.array(2 * low, np.float32), np.array(2 * high, np.float32))
