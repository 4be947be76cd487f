"""MovingSprites: two or three flat sprites that move at random, by themselves or when dragged."""

from __future__ import annotations

import colorsys
import math
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.actions import unit_action
from armillary.envs.moving_sprites.scene import (
    MARGIN,
    POSE,
    move,
    poses_of,
    render_sprites,
    scene_size,
    sprite_at,
    sprites_of,
)
from armillary.envs.options import is_one_of
from armillary.envs.shapes import SHAPES
from armillary.errors import ArmillaryError

MAX_SPRITES = 3
SCALE = 0.2
"""Side of a square sprite in arena widths; sprites of other shapes have the same area."""
RADIUS = SCALE / math.sqrt(math.pi)
"""Radius of a disc of that area."""
SPEED_RANGE = (0.02, 0.06)
"""Of an undragged sprite's own velocity, in arena widths a step."""
DRAG_LENGTH = 0.1
"""How far a drag of 1 moves a sprite along x or y, in arena widths."""
IMAGE_SIZES = (32, 64)

SCENE_SIZE = scene_size(MAX_SPRITES)
_GAP = 0.26
_GREY_RANGE = (0.1, 0.9)

Observation = dict[str, NDArray[Any]]


class MovingSpritesEnv(gym.Env[Any, NDArray[np.float32]]):
    """Two or three sprites of three shapes on a grey background.

    After the moving-sprites videos of Emami et al. 2020 ("A Symmetric and Object-Centric World
    Model for Stochastic Environments"). Their generator is not published: shapes, scale, noise and
    length are theirs; colours, velocities and what happens at walls are chosen here.

    Lengths are in arena widths; x points right, y down, as in the image. Each step moves every
    sprite by its own velocity, by the drag if it is dragged, and by Gaussian noise of deviation
    ``noise`` along x and y. Walls turn a sprite's centre back 0.1 from the edge. Sprites pass over
    each other, the later one on top. There is no task: the reward is 0 and nothing ends an episode.

    Action: without ``action_conditional`` none, ``Box(-1, 1, (0,))``: sprites keep a velocity of
    their own, drawn at the start. With it ``Box(-1, 1, (4,))``: sprites have no velocity, and an
    action drags the uppermost sprite under the point ((a0 + 1) / 2, (a1 + 1) / 2) by
    0.1 (a2, a3); where there is none it does nothing.

    Observation (Dict):
        image: (S, S, 3) uint8.
        observation: (12,) x, y, cos and sin of the angle of each sprite, zeros where absent.

    Args:
        image_size: 32 or 64.
        noise: standard deviation of every sprite's random displacement in a step.
        action_conditional: whether sprites are moved by drags instead of velocities of their own.
        render_mode: ``None`` or ``"rgb_array"`` (256 x 256).
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        image_size: int = 64,
        noise: float = 0.05,
        action_conditional: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if not is_one_of(image_size, IMAGE_SIZES):
            raise ArmillaryError(f"image_size must be one of {IMAGE_SIZES}, got {image_size!r}")
        if not 0.0 <= noise < math.inf:
            raise ArmillaryError(f"noise must be a standard deviation >= 0, got {noise}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ArmillaryError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.image_size = image_size
        self.noise = noise
        self.action_conditional = action_conditional
        self.render_mode = render_mode
        self.action_space = spaces.Box(-1.0, 1.0, (4 if action_conditional else 0,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (image_size, image_size, 3), np.uint8),
                "observation": spaces.Box(-1.0, 1.0, (POSE * MAX_SPRITES,), np.float64),
            }
        )
        self._scene = np.zeros(SCENE_SIZE)
        self._labels = np.zeros((image_size, image_size), np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draws a scene of two or three sprites that do not overlap. Takes no options."""
        super().reset(seed=seed)
        if options:
            raise ArmillaryError(f"MovingSprites has no reset options, got {sorted(options)}")
        self._scene = sample_scene(self.np_random, moving=not self.action_conditional)
        return self._observe(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves the sprites. Raises ArmillaryError unless the action lies in the action space."""
        values = unit_action(action, 4 if self.action_conditional else 0)
        sprites = sprites_of(self._scene)
        motion = sprites[:, 2:4] + self.np_random.normal(0.0, self.noise, (len(sprites), 2))
        if self.action_conditional:
            dragged = sprite_at(self._scene, (values[:2] + 1.0) / 2.0)
            if dragged is not None:
                motion[dragged] += DRAG_LENGTH * values[2:]
        move(sprites, motion)
        return self._observe(), 0.0, False, False, {}

    def snapshot(self) -> NDArray[np.float64]:
        """The scene vector, see ``scene``."""
        return self._scene.copy()

    def segmentation(self) -> NDArray[np.uint8]:
        """(S, S) ground-truth labels: 0 background, 1 + i sprite i."""
        return self._labels.copy()

    @property
    def tolerance(self) -> float:
        """How far from its place a sprite may be, in arena widths: its radius."""
        return RADIUS

    def places(self) -> NDArray[np.float64]:
        """(4, 2): x and y of every label; the background and absent sprites are in the middle."""
        places = np.full((1 + MAX_SPRITES, 2), 0.5)
        sprites = sprites_of(self._scene)
        places[1 : 1 + len(sprites)] = sprites[:, :2]
        return places

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The scene at 256 x 256 where ``render_mode`` is ``"rgb_array"``."""
        return render_sprites(self._scene, 256)[0] if self.render_mode == "rgb_array" else None

    def _observe(self) -> Observation:
        image, self._labels = render_sprites(self._scene, self.image_size)
        poses = poses_of(self._scene)
        absent = np.zeros(POSE * (MAX_SPRITES - len(poses)))
        return {"image": image, "observation": np.append(poses, absent)}


def sample_scene(rng: np.random.Generator, moving: bool) -> NDArray[np.float64]:
    """Draws a scene vector; ``moving`` says whether sprites have velocities of their own."""
    scene = np.zeros(SCENE_SIZE)
    scene[0] = rng.integers(2, MAX_SPRITES + 1)
    scene[1] = rng.uniform(*_GREY_RANGE)
    sprites = sprites_of(scene)
    sprites[:, :2] = _apart(rng, len(sprites))
    for sprite in sprites:
        heading, speed = rng.uniform(-math.pi, math.pi), moving * rng.uniform(*SPEED_RANGE)
        sprite[2:4] = speed * math.cos(heading), speed * math.sin(heading)
        sprite[4] = rng.uniform(-math.pi, math.pi)
        sprite[5] = rng.integers(len(SHAPES))
        sprite[6:9] = colorsys.hsv_to_rgb(
            rng.random(), rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.0)
        )
    sprites[:, 9] = RADIUS
    return scene


def _apart(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(count, 2) positions of sprites that do not overlap."""
    while True:
        positions = rng.uniform(MARGIN, 1.0 - MARGIN, (count, 2))
        gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
        if (gaps + np.eye(count) >= _GAP).all():
            return positions
