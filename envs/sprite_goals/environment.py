"""SpriteGoals: select sprites and move them until each is where a goal image shows it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.moving_sprites.scene import (
    SPRITE,
    Scene,
    render_sprites,
    scene_size,
    sprites_of,
)
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

Observation = dict[str, NDArray[Any]]


class SpriteGoalsEnv(gym.Env[Any, NDArray[np.float32]]):
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
        fewest = num_sprites if fewest_sprites is None else fewest_sprites
        for name, value, valid in (
            ("image_size", image_size, IMAGE_SIZES),
            ("num_sprites", num_sprites, range(1, MOST_SPRITES + 1)),
            ("fewest_sprites", fewest, range(1, num_sprites + 1)),
            ("reward_type", reward_type, ("sparse", "dense")),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
        ):
            if value not in valid:
                raise ArmillaryError(f"{name} must be one of {[*valid]}, got {value!r}")
        for name, value in (("noise", noise), ("drift", drift)):
            if not 0.0 <= value <= _MOST_CHANCE:
                raise ArmillaryError(
                    f"{name} must lie in [0, {_MOST_CHANCE}] image widths a step, got {value}"
                )
        self.image_size = image_size
        self.num_sprites = num_sprites
        self.noise = noise
        self.drift = drift
        self.reward_type = reward_type
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        self._counts = (fewest, num_sprites)
        image = spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        places = spaces.Box(0.0, 1.0, (2 * num_sprites,), np.float64)
        self.action_space = self._box = spaces.Box(
            np.array([0.0, 0.0, -REACH, -REACH], np.float32),
            np.array([1.0, 1.0, REACH, REACH], np.float32),
        )
        self.observation_space = spaces.Dict(
            {
                "image": image,
                "goal_image": image,
                "observation": spaces.Box(-1.0, 1.0, (4 * num_sprites,), np.float64),
                "achieved_goal": places,
                "desired_goal": places,
            }
        )
        self._scene: Scene = np.zeros(scene_size(num_sprites))
        self._goal: Scene = np.zeros(scene_size(num_sprites))
        self._goal_image = self._image = np.zeros(image.shape, np.uint8)
        self._labels = np.zeros(image.shape[:2], np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Poses a new problem; see the class for the options."""
        super().reset(seed=seed)
        factors = Factors.sample(self.np_random, self._counts, options or {})
        self.pose(*sample_problem(self.np_random, factors, self.num_sprites, self.drift))
        return self._observe(), self._info()

    def pose(self, scene: Scene, goal: Scene) -> None:
        """Sets the scene and the goal, both snapshots. Raises ArmillaryError for what is none."""
        scene, goal = (checked(one, self.num_sprites) for one in (scene, goal))
        if scene[0] != goal[0]:
            raise ArmillaryError(
                f"scene and goal must have as many sprites, got {scene[0]:g} and {goal[0]:g}"
            )
        self._show(scene)
        self._goal = goal
        self._goal_image, _ = render_sprites(goal, self.image_size)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Selects and moves. Raises ArmillaryError unless the action is within the action space."""
        given, low, high = np.asarray(action, np.float64), self._box.low, self._box.high
        if given.shape != low.shape:
            raise ArmillaryError(f"action must have shape {low.shape}, got {given.shape}")
        if not ((given >= low - 1e-6) & (given <= high + 1e-6)).all():
            raise ArmillaryError(
                f"action must lie from {low.tolist()} to {high.tolist()}, got {given.tolist()}"
            )
        shake = self.np_random.normal(0.0, self.noise, (int(self._scene[0]), 2))
        self._show(step(self._scene, given, shake))
        info, observation = self._info(), self._observe()
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        ended = info["is_success"] and self.terminate_on_success
        return observation, float(reward), ended, False, info

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any
    ) -> NDArray[np.float64]:
        """The reward of (..., 2 n) places; batched, for hindsight relabelling."""
        distance = _distances(achieved_goal, desired_goal).max(-1)
        if self.reward_type == "dense":
            return -distance
        return -(distance >= TOLERANCE).astype(np.float64)

    def snapshot(self) -> Scene:
        """The full state, a flat vector; ``restore`` goes on from it bit for bit but for noise."""
        return self._scene.copy()

    def restore(self, scene: Scene) -> None:
        """Returns to a snapshot. Raises ArmillaryError for a vector that is none."""
        self._show(checked(scene, self.num_sprites))

    @property
    def goal_scene(self) -> Scene:
        """The goal's scene vector."""
        return self._goal.copy()

    @property
    def oracle(self) -> SpriteOracle:
        """The true physics, for a simulator that is the ceiling of every benchmark."""
        return SpriteOracle(self.image_size)

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels: 0 background, 1 + i sprite i."""
        return self._labels.copy()

    @property
    def tolerance(self) -> float:
        """How far from its place a sprite may be, in image widths."""
        return TOLERANCE

    def places(self) -> NDArray[np.float64]:
        """(1 + n, 2): x and y of every label; the background and absent sprites in the middle."""
        return self.oracle.poses(self._scene[None])[0]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        return render_sprites(self._scene, 256)[0] if self.render_mode == "rgb_array" else None

    def _show(self, scene: Scene) -> None:
        self._scene = scene
        self._image, self._labels = render_sprites(scene, self.image_size)

    def _observe(self) -> Observation:
        sprites = sprites_of(self._scene)
        angles = np.stack([np.cos(sprites[:, 4]), np.sin(sprites[:, 4])], 1)
        return {
            "image": self._image.copy(),
            "goal_image": self._goal_image.copy(),
            "observation": self._padded(np.concatenate([sprites[:, :2], angles], 1)),
            "achieved_goal": self._padded(sprites[:, :2]),
            "desired_goal": self._padded(sprites_of(self._goal)[:, :2]),
        }

    def _padded(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(c, m) of the sprites that there are -> (m n,)."""
        return np.pad(rows, ((0, self.num_sprites - len(rows)), (0, 0))).reshape(-1)

    def _info(self) -> dict[str, Any]:
        apart = _distances(*(sprites_of(one)[:, :2].ravel() for one in (self._scene, self._goal)))
        return {
            "is_success": bool((apart < TOLERANCE).all()),
            "distance": float(apart.max()),
            "share": float((apart < TOLERANCE).mean()),
        }


def checked(scene: Scene, most: int) -> Scene:
    """A copy of a snapshot with room for ``most`` sprites.

    Raises:
        ArmillaryError: it is none.
    """
    scene = np.array(scene, dtype=np.float64)
    if scene.shape != (scene_size(most),) or not np.isfinite(scene).all():
        raise ArmillaryError(
            f"a snapshot is {scene_size(most)} finite numbers for up to {most} sprites, got shape "
            f"{scene.shape}"
        )
    if scene[0] not in range(1, most + 1):
        raise ArmillaryError(f"a snapshot starts with 1 to {most} sprites, got {scene[0]:g}")
    sprites = sprites_of(scene)
    if not (np.isin(sprites[:, 5], range(len(SHAPES))) & (sprites[:, 9] > 0.0)).all():
        raise ArmillaryError(
            f"each sprite of a snapshot has {SPRITE} numbers, among them a shape out of "
            f"{[*range(len(SHAPES))]} and a radius above 0"
        )
    return scene


def _distances(achieved: NDArray[np.float64], desired: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2 n) places -> (..., n)."""
    offsets = (achieved - desired).reshape(*achieved.shape[:-1], -1, 2)
    return np.linalg.norm(offsets, axis=-1)
