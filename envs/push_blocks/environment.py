"""PushBlocks: push coloured blocks to where a goal image shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.actions import unit_action
from armillary.envs.goal_env import GoalEnv, Observation
from armillary.envs.options import is_one_of, snapshot_of
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


class PushBlocksEnv(GoalEnv):
    """A pusher and 1 to 4 blocks in a square arena, seen from above.

    Lengths are in arena widths; x points right, y down, as in the image.

    Action: ``Box(-1, 1, (2,))``, the pusher's displacement in units of 0.1 arena widths.

    Observation (Dict):
        image, goal_image: (S, S, 3) uint8.
        observation: (18,) pusher x, y, then x, y, cos, sin of each block.
        achieved_goal, desired_goal: (8,) x, y of each block. Absent blocks are zeros everywhere.

    Labels of ``segmentation``: 0 background, 1 pusher, 2 + i block i.

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
    distance_threshold = tolerance = SUCCESS_DISTANCE

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
        if not is_one_of(image_size, IMAGE_SIZES):
            raise ArmillaryError(f"image_size must be one of {IMAGE_SIZES}, got {image_size!r}")
        if not is_one_of(num_blocks, range(1, MAX_BLOCKS + 1)):
            raise ArmillaryError(f"num_blocks must be from 1 to {MAX_BLOCKS}, got {num_blocks}")
        if not is_one_of(num_moved, range(1, num_blocks + 1)):
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
        super().__init__(
            SCENE_SIZE,
            spaces.Box(-1.5, 1.5, (2 + 4 * MAX_BLOCKS,), np.float64),
            spaces.Box(-0.5, 1.5, (2 * MAX_BLOCKS,), np.float64),
            image_size=image_size,
            reward_type=reward_type,
            terminate_on_success=terminate_on_success,
            render_mode=render_mode,
        )
        self.num_blocks = num_blocks
        self.num_moved = num_moved
        self.action_noise = action_noise
        self.table = Table.read(keep_clear, walls)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._entered = False

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves the pusher. Raises ArmillaryError unless the action is (2,), finite, in [-1, 1]."""
        observation, reward, ended, cut, info = super().step(action)
        entered = info["entered"]
        return observation, reward + ENTERING * entered, entered or ended, cut, info

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        super().restore(scene)
        self._entered = self._enters(self._scene)

    @property
    def oracle(self) -> PushOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return PushOracle(
            self.image_size, self.action_noise, self.table.keep_clear, self.table.walls
        )

    def _sample(self, options: Mapping[str, Any]) -> tuple[Scene, Scene]:
        factors = Factors.sample(self.np_random, self.num_blocks, options)
        moved = min(self.num_moved, len(factors.shapes))
        return sample_problem(self.np_random, factors, self.table, moved)

    def _checked(self, scene: Scene) -> Scene:
        scene = snapshot_of(scene, SCENE_SIZE, "a snapshot")
        if scene[0] not in range(1, MAX_BLOCKS + 1):
            raise ArmillaryError(f"a snapshot starts with 1 to {MAX_BLOCKS} blocks, got {scene[0]}")
        return scene

    def _moved(self, action: NDArray[np.float32]) -> Scene:
        displacement = unit_action(action, 2)
        if self.action_noise > 0.0:
            displacement = displacement + self.np_random.normal(0.0, self.action_noise, 2)
        scene = physics.step(self._scene, displacement, self.table.walls)
        self._entered = self._entered or self._enters(scene)
        return scene

    def _draw(self, scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_scene(scene, size, self.table)

    def _positions(self, scene: Scene) -> NDArray[np.float64]:
        return blocks_of(scene)[:, :2]

    def _told(self) -> NDArray[np.float64]:
        x, y, angle = blocks_of(self._scene)[:, :3].T
        rows = np.stack([x, y, np.cos(angle), np.sin(angle)], 1)
        return np.append(self._scene[1:3], rows)

    def _info(self) -> dict[str, Any]:
        info = super()._info()
        reached = info["is_success"] and not self._entered
        return {**info, "is_success": reached, "entered": self._entered}

    def _enters(self, scene: Scene) -> bool:
        regions = self.table.keep_clear
        return bool(regions) and away(regions, centres_of(scene)) < 0.0
