"""StackBlocks: pick blocks up and put them down until they stand as a goal image shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.actions import box_action
from armillary.envs.goal_env import GoalEnv
from armillary.envs.options import check_choices, known
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


class StackBlocksEnv(GoalEnv):
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

    Labels of ``segmentation``: 0 the table, 1 + i block i.

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
    axes = 3
    distance_threshold = TOLERANCE
    tolerance = 0.05

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
        check_choices(("num_blocks", num_blocks, range(1, MOST_BLOCKS + 1)))
        fewest = num_blocks if fewest_blocks is None else fewest_blocks
        check_choices(
            ("image_size", image_size, IMAGE_SIZES),
            ("fewest_blocks", fewest, range(1, num_blocks + 1)),
            ("supersampling", supersampling, range(1, 5)),
            ("reward_type", reward_type, ("sparse", "dense")),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
            *(("vary", name, VARIABLE) for name in vary),
        )
        known("camera", camera, CAMERAS)
        super().__init__(
            scene_size(num_blocks),
            spaces.Box(-np.inf, np.inf, (POSE * num_blocks,), np.float64),
            spaces.Box(-np.inf, np.inf, (self.axes * num_blocks,), np.float64),
            image_size=image_size,
            reward_type=reward_type,
            terminate_on_success=terminate_on_success,
            render_mode=render_mode,
        )
        self.num_blocks = num_blocks
        self.heights = heights
        self.supersampling = supersampling
        self.action_space = self._box = action_space(heights)
        self._counts, self._camera, self._vary = (fewest, num_blocks), camera, tuple(vary)

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots. Raises ArmillaryError for what is none."""
        scene, goal = self._checked(scene), self._checked(goal)
        if scene[0] != goal[0]:
            raise ArmillaryError(
                f"scene and goal must have as many blocks, got {scene[0]:g} and {goal[0]:g}"
            )
        super().pose(scene, goal)

    @property
    def oracle(self) -> StackOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return StackOracle(self.image_size, self.heights, self.supersampling)

    def _sample(self, options: Mapping[str, Any]) -> tuple[Scene, Scene]:
        factors = Factors.sample(self.np_random, self._counts, self._camera, self._vary, options)
        return sample_problem(self.np_random, factors, self.num_blocks)

    def _checked(self, scene: Scene) -> Scene:
        return checked(scene, self.num_blocks)

    def _moved(self, action: NDArray[np.float32]) -> Scene:
        return physics.step(self._scene, box_action(action, self._box, rounding=1e-5))

    def _draw(self, scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_scene(scene, size, self.supersampling)

    def _positions(self, scene: Scene) -> NDArray[np.float64]:
        return positions_of(scene)

    def _told(self) -> NDArray[np.float64]:
        return poses_of(self._scene)

    def _info(self) -> dict[str, Any]:
        in_place = distances(self._scene, self._goal) < TOLERANCE
        op3 = op3_rule(self._scene, self._goal)
        return {**super()._info(), "share": float(in_place.mean()), "op3_rule": op3}


def action_space(heights: bool) -> spaces.Box:
    """Of actions with or without heights, in the scene's units."""
    (left, right), (_, far) = physics.ARENA
    low, high = [left, physics.EDGE], [right, far]
    if heights:
        low, high = [*low, physics.HEIGHTS[0]], [*high, physics.HEIGHTS[1]]
    return spaces.Box(np.array(2 * low, np.float32), np.array(2 * high, np.float32))
