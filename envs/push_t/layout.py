"""How PushT looks, and its fresh scenes: factors of variation, and places that overlap nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.drawing import signed_distance
from armillary.envs.options import Color, color, known, within
from armillary.envs.push_t.drawing import block_of
from armillary.envs.push_t.physics import (
    AGENT_RADIUS,
    ARENA,
    BLOCK_SCALE,
    FACTORS,
    REGION,
    SCENE_SIZE,
    Scene,
    corners,
)

RADIUS_RANGE, SCALE_RANGE = (12.0, 20.0), (24.0, 36.0)
_BRIGHTNESS = {"background_color": (0.7, 1.0), "goal_color": (0.4, 0.9)}
"""Range of the channels of a drawn colour; of the others it is (0, 0.65)."""
_BORDER, _GAP = 10.0, 4.0
_AGENT_MARGIN, _BLOCK_MARGIN = 50.0, 100.0


@dataclass(frozen=True)
class Factors:
    """The factors of variation of a scene; by default the field's look.

    Attributes:
        agent_radius: in pixels of 512, in ``RADIUS_RANGE``.
        block_scale: width of the T's bar and stem in pixels of 512, in ``SCALE_RANGE``.
        agent_color: RGB in [0, 1], as all colours.
        block_color: of the T.
        background_color: of what is around it.
        goal_color: of the goal region, where it is drawn.
    """

    agent_radius: float = AGENT_RADIUS
    block_scale: float = BLOCK_SCALE
    agent_color: Color = (65 / 255, 105 / 255, 225 / 255)
    block_color: Color = (119 / 255, 136 / 255, 153 / 255)
    background_color: Color = (1.0, 1.0, 1.0)
    goal_color: Color = (144 / 255, 238 / 255, 144 / 255)

    @classmethod
    def sample(
        cls, rng: np.random.Generator, vary: Collection[str], options: Mapping[str, Any]
    ) -> Factors:
        """Draws the factors named by ``vary``, unless ``options`` says what they are.

        Raises:
            ArmillaryError: a factor is unknown or out of its range.
        """
        check_names(vary)
        check_names(options)
        drawn = {name: _drawn(name, rng) for name in NAMES if name in vary}
        given = {name: _checked(name, value) for name, value in options.items()}
        return cls(**{**drawn, **given})

    @property
    def vector(self) -> NDArray[np.float64]:
        """(14,) as scene vectors have them."""
        colors = (self.agent_color, self.block_color, self.background_color, self.goal_color)
        return np.array([self.agent_radius, self.block_scale, *np.ravel(colors)])


NAMES = tuple(field.name for field in fields(Factors))
_RANGES = {"agent_radius": RADIUS_RANGE, "block_scale": SCALE_RANGE}


def check_names(names: Collection[str]) -> None:
    """Raises ArmillaryError unless all are factors."""
    for name in names:
        known("factor of variation", name, NAMES)


def _drawn(name: str, rng: np.random.Generator) -> Any:
    if name in _RANGES:
        return float(rng.uniform(*_RANGES[name]))
    return tuple(rng.uniform(*_BRIGHTNESS.get(name, (0.0, 0.65)), 3).tolist())


def _checked(name: str, value: Any) -> Any:
    if name in _RANGES:
        return within(name, value, _RANGES[name], f"pixels of {ARENA:g}")
    return color(name, value, {})


def fresh_scene(rng: np.random.Generator, factors: Factors) -> Scene:
    """Draws a scene at rest without a goal region, over the field's ranges of places.

    Agent and T overlap neither each other nor the walls.
    """
    scene = np.zeros(SCENE_SIZE)
    scene[FACTORS] = factors.vector
    while True:
        scene[2:4] = rng.uniform(_BLOCK_MARGIN, ARENA - _BLOCK_MARGIN, 2)
        scene[4] = rng.uniform(-math.pi, math.pi)
        x, y, angle = scene[2:5].tolist()
        outline = corners(x, y, angle, factors.block_scale)
        scene[0:2] = rng.uniform(_AGENT_MARGIN, ARENA - _AGENT_MARGIN, 2)
        inside = outline.min() > _BORDER and outline.max() < ARENA - _BORDER
        if inside and clearance(scene, scene[None, 0:2])[0] > factors.agent_radius + _GAP:
            return scene


def clearance(scene: Scene, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) points -> (n,) how far they lie outside the T, in pixels; near corners a bound."""
    x, y = (points / ARENA).astype(np.float32).T
    return signed_distance(block_of(scene), x, y).astype(np.float64) * ARENA


def with_region(scene: Scene, goal: Scene) -> Scene:
    """The scene with the goal region drawn where the T of a goal is."""
    marked = scene.copy()
    marked[REGION] = 1.0, *goal[2:5]
    return marked
