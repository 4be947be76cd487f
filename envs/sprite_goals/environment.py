"""SpriteGoals: select sprites and move them until each is where a goal image shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.actions import box_action
from armillary.envs.goal_env import GoalEnv
from armillary.envs.moving_sprites.scene import (
    POSE,
    SPRITE,
    Scene,
    poses_of,
    render_sprites,
    scene_size,
    sprites_of,
)
from armillary.envs.options import check_choices, snapshot_of
from armillary.envs.shapes import SHAPES
from armillary.envs.sprite_goals.factors import Factors
from armillary.envs.sprite_goals.layout import sample_problem
from armillary.envs.sprite_goals.oracle import SpriteOracle
from armillary.envs.sprite_goals.physics import REACH, step
from armillary.errors import ArmillaryError

IMAGE_SIZES = (32, 64, 96, 128)
MOST_SPRITES = 6
TOLERANCE = 0.06
"""How far from its place a sprite may be, in image widths."""
_MOST_CHANCE = 0.1


class SpriteGoalsEnv(GoalEnv):
    """1 to 6 sprites of three shapes on a grey background, each of which has a place.

    Lengths are in image widths; x points right, y down. Sprites pass over each other, the later
    one on top, and turn back 0.1 from the edge. They move by themselves: each step adds
    Gaussian noise to every place, and with ``drift`` each sprite has a velocity of its own.

    Action: ``Box`` (4,), a point in [0, 1] and a way in [-0.25, 0.25] along x and y: the uppermost
    sprite under the point is moved that way, as Spriteworld's ``SelectMove`` does (Watters et al.
    2019, arXiv:1905.09275). There is no sprite in the corner, so that zeros do nothing.

    Observation (Dict), n being ``num_sprites``:
        image, goal_image: (S, S, 3) uint8.
        observation: (4 n,) x, y, cos and sin of the angle of each sprite.
        achieved_goal, desired_goal: (2 n,) x, y of each sprite. Absent sprites are zeros
        everywhere.

    Labels of ``segmentation``: 0 background, 1 + i sprite i.

    Reward: 0 when every sprite is within 0.06 of its place, else -1 (``reward_type="sparse"``), or
    minus the largest such distance (``"dense"``). Success ends the episode unless
    ``terminate_on_success=False``. ``info`` has ``is_success``, ``distance`` (the largest) and
    ``share`` (of the sprites that are within 0.06 of their places).

    Args:
        image_size: 32, 64, 96 or 128.
        num_sprites: in a scene, unless ``reset(options={"num_sprites": n})`` says fewer.
        fewest_sprites: where it is given, each scene has a number of sprites from it to
            ``num_sprites``, all equally likely.
        noise: standard deviation of every sprite's random displacement in a step, along each axis.
        drift: greatest speed of a sprite of its own; 0 for none.
        reward_type: ``"sparse"`` or ``"dense"``.
        terminate_on_success: whether success ends the episode.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).

    ``reset(options=...)`` fixes factors of variation: ``num_sprites``, ``background`` (grey), and
    ``shapes``, ``sizes`` and ``colors`` (RGB), one entry per sprite; see ``factors``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012
    measures = ("share",)
    distance_threshold = tolerance = TOLERANCE

    def __init__(
        self,
        image_size: int = 64,
        num_sprites: int = 3,
        fewest_sprites: int | None = None,
        noise: float = 0.015,
        drift: float = 0.0,
        reward_type: str = "sparse",
        terminate_on_success: bool = True,
        render_mode: str | None = None,
    ) -> None:
        check_choices(("num_sprites", num_sprites, range(1, MOST_SPRITES + 1)))
        fewest = num_sprites if fewest_sprites is None else fewest_sprites
        check_choices(
            ("image_size", image_size, IMAGE_SIZES),
            ("fewest_sprites", fewest, range(1, num_sprites + 1)),
            ("reward_type", reward_type, ("sparse", "dense")),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
        )
        for name, value in (("noise", noise), ("drift", drift)):
            if not 0.0 <= value <= _MOST_CHANCE:
                raise ArmillaryError(
                    f"{name} must lie in [0, {_MOST_CHANCE}] image widths a step, got {value}"
                )
        super().__init__(
            scene_size(num_sprites),
            spaces.Box(-1.0, 1.0, (POSE * num_sprites,), np.float64),
            spaces.Box(0.0, 1.0, (self.axes * num_sprites,), np.float64),
            image_size=image_size,
            reward_type=reward_type,
            terminate_on_success=terminate_on_success,
            render_mode=render_mode,
        )
        self.num_sprites = num_sprites
        self.noise = noise
        self.drift = drift
        self.action_space = self._box = spaces.Box(
            np.array([0.0, 0.0, -REACH, -REACH], np.float32),
            np.array([1.0, 1.0, REACH, REACH], np.float32),
        )
        self._counts = (fewest, num_sprites)

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots. Raises ArmillaryError for what is none."""
        scene, goal = self._checked(scene), self._checked(goal)
        if scene[0] != goal[0]:
            raise ArmillaryError(
                f"scene and goal must have as many sprites, got {scene[0]:g} and {goal[0]:g}"
            )
        super().pose(scene, goal)

    @property
    def oracle(self) -> SpriteOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return SpriteOracle(self.image_size)

    def _sample(self, options: Mapping[str, Any]) -> tuple[Scene, Scene]:
        factors = Factors.sample(self.np_random, self._counts, options)
        return sample_problem(self.np_random, factors, self.num_sprites, self.drift)

    def _checked(self, scene: Scene) -> Scene:
        return checked(scene, self.num_sprites)

    def _moved(self, action: NDArray[np.float32]) -> Scene:
        given = box_action(action, self._box)
        shake = self.np_random.normal(0.0, self.noise, (int(self._scene[0]), 2))
        return step(self._scene, given, shake)

    def _draw(self, scene: Scene, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return render_sprites(scene, size)

    def _positions(self, scene: Scene) -> NDArray[np.float64]:
        return sprites_of(scene)[:, :2]

    def _told(self) -> NDArray[np.float64]:
        return poses_of(self._scene)

    def _info(self) -> dict[str, Any]:
        offsets = self._positions(self._scene) - self._positions(self._goal)
        in_place = np.linalg.norm(offsets, axis=1) < TOLERANCE
        return {**super()._info(), "share": float(in_place.mean())}


def checked(scene: Scene, most: int) -> Scene:
    """A copy of a snapshot with room for ``most`` sprites.

    Raises:
        ArmillaryError: it is none.
    """
    scene = snapshot_of(scene, scene_size(most), f"a snapshot with room for {most} sprites")
    if scene[0] not in range(1, most + 1):
        raise ArmillaryError(f"a snapshot starts with 1 to {most} sprites, got {scene[0]:g}")
    sprites = sprites_of(scene)
    if not (np.isin(sprites[:, 5], range(len(SHAPES))) & (sprites[:, 9] > 0.0)).all():
        raise ArmillaryError(
            f"each sprite of a snapshot has {SPRITE} numbers, among them a shape out of "
            f"{[*range(len(SHAPES))]} and a radius above 0"
        )
    return scene
