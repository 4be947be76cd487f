"""PushBlocks: push coloured blocks to where a goal image shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.push_blocks import physics
from armillary.envs.push_blocks.drawing import render_scene
from armillary.envs.push_blocks.layout import Factors, sample_problem
from armillary.envs.push_blocks.oracle import PushOracle
from armillary.envs.push_blocks.physics import (
    MAX_BLOCKS,
    SCENE_SIZE,
    Scene,
    blocks_of,
    centres_of,
)
from armillary.envs.push_blocks.regions import Table, away
from armillary.errors import ArmillaryError

SUCCESS_DISTANCE = 0.06
IMAGE_SIZES = (32, 64, 96, 128)
ENTERING = -20.0
"""What entering a region adds to the reward: no less than failing for all of an episode costs."""

Observation = dict[str, NDArray[Any]]


class PushBlocksEnv(gym.Env[Any, NDArray[np.float32]]):
    """A pusher and 1 to 4 blocks in a square arena, seen from above.

    Lengths are in arena widths; x points right, y down, as in the image.

    Action: ``Box(-1, 1, (2,))``, the pusher's displacement in units of 0.1 arena widths.

    Observation (Dict):
        image, goal_image: (S, S, 3) uint8.
        observation: (18,) pusher x, y, then x, y, cos, sin of each block.
        achieved_goal, desired_goal: (8,) x, y of each block. Absent blocks are zeros everywhere.

    Reward: 0 when every block lies within 0.06 of its goal, else -1 (``reward_type="sparse"``), or
    minus the largest such distance (``"dense"``). Success ends the episode unless
    ``terminate_on_success=False``; ``info["is_success"]`` says it either way.

    Regions to keep clear are painted on the table. A step after which the centre of the pusher or
    of a block lies in one has entered it (``info["entered"]``): that is failure, ends the episode,
    and adds -20 to its reward; ``compute_reward`` leaves that out, since it is not told where the
    pusher is. The pushes that lead to the goal enter none, and pass one at most 0.08 away.

    Walls hold the pusher and the blocks. With them most goals are where the straight way of the
    block is blocked, see ``layout.sample_problem``.

    Args:
        image_size: 32, 64, 96 or 128.
        num_blocks: blocks in a scene unless ``reset(options={"num_blocks": n})`` says another.
        num_moved: how many of them lie elsewhere in the goal image.
        action_noise: standard deviation of Gaussian noise added to every action.
        keep_clear: such regions, (x0, y0, x1, y1) each.
        walls: solid ones inside the arena, likewise.
        reward_type: ``"sparse"`` or ``"dense"``.
        terminate_on_success: whether success ends the episode.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).

    ``reset(options=...)`` fixes factors of variation: ``num_blocks``, ``colors`` (names or RGB),
    ``sizes`` and ``shapes``, one entry per block.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        image_size: int = 32,
        num_blocks: int = 3,
        action_noise: float = 0.0,
        reward_type: str = "sparse",
        terminate_on_success: bool = True,
        keep_clear: Sequence[Sequence[float]] = (),
        walls: Sequence[Sequence[float]] = (),
        num_moved: int = 1,
        render_mode: str | None = None,
    ) -> None:
        if image_size not in IMAGE_SIZES:
            raise ArmillaryError(f"image_size must be one of {IMAGE_SIZES}, got {image_size}")
        if num_blocks not in range(1, MAX_BLOCKS + 1):
            raise ArmillaryError(f"num_blocks must be from 1 to {MAX_BLOCKS}, got {num_blocks}")
        if num_moved not in range(1, num_blocks + 1):
            raise ArmillaryError(
                f"num_moved must be from 1 to num_blocks, {num_blocks}, got {num_moved}"
            )
        if not action_noise >= 0.0:
            raise ArmillaryError(
                f"action_noise must be a standard deviation >= 0, got {action_noise}"
            )
        if reward_type not in ("sparse", "dense"):
            raise ArmillaryError(f"reward_type must be 'sparse' or 'dense', got {reward_type!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ArmillaryError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.image_size = image_size
        self.num_blocks = num_blocks
        self.num_moved = num_moved
        self.action_noise = action_noise
        self.reward_type = reward_type
        self.terminate_on_success = terminate_on_success
        self.table = Table.read(keep_clear, walls)
        self.render_mode = render_mode
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": spaces.Box(-1.5, 1.5, (2 + 4 * MAX_BLOCKS,), np.float64),
                "achieved_goal": spaces.Box(-0.5, 1.5, (2 * MAX_BLOCKS,), np.float64),
                "desired_goal": spaces.Box(-0.5, 1.5, (2 * MAX_BLOCKS,), np.float64),
            }
        )
        self._scene: Scene = np.zeros(SCENE_SIZE)
        self._entered = False
        self._goal: Scene = np.zeros(SCENE_SIZE)
        self._goal_image = np.zeros(image.shape, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Poses a new problem; see the class for the options."""
        super().reset(seed=seed)
        factors = Factors.sample(self.np_random, self.num_blocks, options or {})
        moved = min(self.num_moved, len(factors.shapes))
        start, goal = sample_problem(self.np_random, factors, self.table, moved)
        self.pose(start, goal)
        return self._observe(), self._info()

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both scene vectors of ``physics``."""
        self.restore(scene)
        self._goal = goal.copy()
        self._goal_image = self._draw(self._goal)[0]

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves the pusher. Raises ArmillaryError unless the action is (2,), finite, in [-1, 1]."""
        displacement = np.asarray(action, dtype=np.float64)
        if displacement.shape != (2,):
            raise ArmillaryError(f"action must have shape (2,), got {displacement.shape}")
        if not (np.abs(displacement) <= 1.0 + 1e-6).all():
            raise ArmillaryError(
                f"action must be finite and in [-1, 1], got {displacement.tolist()}"
            )
        if self.action_noise > 0.0:
            displacement = displacement + self.np_random.normal(0.0, self.action_noise, 2)
        self._scene = physics.step(self._scene, displacement, self.table.walls)
        self._entered = self._entered or self._enters()
        info = self._info()
        observation = self._observe()
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        ends = info["entered"] or (info["is_success"] and self.terminate_on_success)
        return observation, float(reward) + ENTERING * info["entered"], ends, False, info

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any
    ) -> NDArray[np.float64]:
        """The reward of (..., 8) block positions; batched, for hindsight relabelling."""
        distance = _largest_distance(achieved_goal, desired_goal)
        if self.reward_type == "dense":
            return -distance
        return -(distance >= SUCCESS_DISTANCE).astype(np.float64)

    def snapshot(self) -> Scene:
        """The full physics state, a flat vector; ``restore`` continues from it bit for bit."""
        return self._scene.copy()

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        scene = np.asarray(scene, dtype=np.float64)
        if scene.shape != (SCENE_SIZE,) or not np.isfinite(scene).all():
            raise ArmillaryError(
                f"a snapshot is {SCENE_SIZE} finite numbers, got shape {scene.shape}"
            )
        if scene[0] not in range(1, MAX_BLOCKS + 1):
            raise ArmillaryError(f"a snapshot starts with 1 to {MAX_BLOCKS} blocks, got {scene[0]}")
        self._scene = scene.copy()
        self._entered = self._enters()

    @property
    def goal_scene(self) -> Scene:
        """The goal's scene vector."""
        return self._goal.copy()

    @property
    def oracle(self) -> PushOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return PushOracle(
            self.image_size, self.action_noise, self.table.keep_clear, self.table.walls
        )

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels: 0 background, 1 pusher, 2 + i block i."""
        return self._draw(self._scene)[1]

    @property
    def tolerance(self) -> float:
        """How far from its goal a block may be, in arena widths."""
        return SUCCESS_DISTANCE

    def places(self) -> NDArray[np.float64]:
        """(6, 2): x and y of every label; the background and absent blocks are in the middle."""
        return self.oracle.poses(self._scene[None])[0, :, :2]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        if self.render_mode != "rgb_array":
            return None
        return render_scene(self._scene, 256, self.table)[0]

    def _observe(self) -> Observation:
        return {
            "image": self._draw(self._scene)[0],
            "goal_image": self._goal_image.copy(),
            "observation": _proprioception(self._scene),
            "achieved_goal": _block_positions(self._scene),
            "desired_goal": _block_positions(self._goal),
        }

    def _info(self) -> dict[str, Any]:
        distance = _largest_distance(_block_positions(self._scene), _block_positions(self._goal))
        return {
            "is_success": bool(distance < SUCCESS_DISTANCE) and not self._entered,
            "distance": float(distance),
            "entered": self._entered,
        }

    def _draw(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_scene(scene, self.image_size, self.table)

    def _enters(self) -> bool:
        regions = self.table.keep_clear
        return bool(regions) and away(regions, centres_of(self._scene)) < 0.0


def _block_positions(scene: Scene) -> NDArray[np.float64]:
    positions = np.zeros((MAX_BLOCKS, 2))
    blocks = blocks_of(scene)
    positions[: len(blocks)] = blocks[:, :2]
    return positions.reshape(-1)


def _proprioception(scene: Scene) -> NDArray[np.float64]:
    rows = np.zeros((MAX_BLOCKS, 4))
    blocks = blocks_of(scene)
    rows[: len(blocks), :2] = blocks[:, :2]
    rows[: len(blocks), 2] = np.cos(blocks[:, 2])
    rows[: len(blocks), 3] = np.sin(blocks[:, 2])
    return np.concatenate([scene[1:3], rows.reshape(-1)])


def _largest_distance(
    achieved: NDArray[np.float64], desired: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Largest block-to-goal distance of (..., 8) positions."""
    offsets = (achieved - desired).reshape(*achieved.shape[:-1], MAX_BLOCKS, 2)
    return np.linalg.norm(offsets, axis=-1).max(-1)
