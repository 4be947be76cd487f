"""The physics of PushT, the field's constants, as a pure function of a flat scene vector.

The constants are those of gym-pusht 0.1.8, which are Diffusion Policy's (Chi et al. 2023), and
DINO-WM's and stable-worldmodel's. Lengths are in pixels of an arena of 512, x to the right and y
downwards, times in seconds. T and agent have no friction, and the T loses its velocity at every
substep; the agent is moved by a controller whatever is in its way, and walls stop the T alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pymunk
from numpy.typing import NDArray

ARENA = 512.0
AGENT_RADIUS = 15.0
BLOCK_SCALE = 30.0
"""Width of the bar and of the stem of the T; the bar is four times as long, the T four as high."""
HOLD = 5
"""Control steps for which an action of the kind ``held`` keeps its target."""
REACH = 100.0
"""How far an action of 1 sets the target from the agent."""

DYNAMICS, FACTORS, REGION = slice(0, 10), slice(10, 24), slice(24, 28)
SCENE_SIZE = 28
"""Length of a scene vector. What moves: x and y of the agent, x, y and angle of the T, velocity of
the agent, velocity and angular velocity of the T. What looks: radius of the agent, scale of the T,
red, green and blue of agent, T, background and goal region. The goal region: whether it is drawn,
its x, y and angle. The place of the T is the middle of the upper edge of its bar, not its centre of
gravity."""

_DT, _SUBSTEPS = 0.01, 10
_KP, _KV = 100.0, 20.0
_WALLS = (5.0, 506.0)
_WALL_RADIUS = 2.0

Scene = NDArray[np.float64]


def target_of(scene: Scene, action: NDArray[np.floating]) -> tuple[float, float]:
    """Where an action (2,) in [-1, 1] sends the agent, within the arena."""
    x, y = (float(scene[i]) + REACH * float(action[i]) for i in (0, 1))
    return min(max(x, 0.0), ARENA), min(max(y, 0.0), ARENA)


def control(scene: Scene, targets: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Sends the agent to targets, to each for a control step of 0.1 s.

    A pure function, bit for bit: the pymunk space is made afresh, so that a restored scene goes on
    exactly as the original would have.

    Args:
        scene: (SCENE_SIZE,), see ``SCENE_SIZE``; it is left as it was.
        targets: x and y of each of the n steps.

    Returns:
        The scenes after each of them, (n, SCENE_SIZE).
    """
    scenes = np.tile(scene, (len(targets), 1))
    x, y, block_x, block_y, angle, vx, vy, *velocity = scene[DYNAMICS].tolist()
    path = _path(x, y, vx, vy, targets)
    ends = path[_SUBSTEPS - 1 :: _SUBSTEPS]
    scenes[:, 0:2] = [end[:2] for end in ends]
    scenes[:, 5:7] = [end[2:] for end in ends]
    radius, scale = float(scene[10]), float(scene[11])
    pose = _centre(block_x, block_y, angle, scale)
    near = (_FURTHEST * scale + radius + 1.0) ** 2
    meets = (i for i, p in enumerate(path) if (p[0] - pose[0]) ** 2 + (p[1] - pose[1]) ** 2 < near)
    at_rest = not any(velocity) and not _near_walls(pose, scale)
    first = next(meets, len(path)) if at_rest else 0
    if first == len(path):
        return scenes
    space = pymunk.Space()
    space.damping = 0.0
    if _near_walls(pose, scale, REACH * len(targets)):
        _add_walls(space)
    agent = pymunk.Body(body_type=pymunk.Body.KINEMATIC)
    space.add(agent, pymunk.Circle(agent, radius))
    block = _add_block(space, scale)
    if first:
        agent.position = path[first - 1][:2]
        _place(block, pose)
    else:  # the last substep once more, so that the solver starts from its impulses
        agent.position = (x - vx * _DT, y - vy * _DT)
        _place(block, [at - speed * _DT for at, speed in zip(pose, velocity, strict=True)])
        block.velocity, block.angular_velocity = (velocity[0], velocity[1]), velocity[2]
        agent.velocity = (vx, vy)
        space.step(_DT)
    for index in range(first, len(path)):
        last = index % _SUBSTEPS == _SUBSTEPS - 1
        before = _pose(block) if last else ()
        agent.velocity = path[index][2:]
        space.step(_DT)
        if last:
            row = scenes[index // _SUBSTEPS]
            row[2:5] = *block.position, block.angle
            row[7:10] = [(b - a) / _DT for a, b in zip(before, _pose(block), strict=True)]
    return scenes


def simulate(scene: Scene, actions: NDArray[np.floating], hold: int = HOLD) -> NDArray[np.float64]:
    """Plays ``actions`` (T, 2), each for ``hold`` control steps; the scenes (T, SCENE_SIZE)."""
    scenes = np.empty((len(actions), SCENE_SIZE))
    for t, action in enumerate(actions):
        scene = scenes[t] = control(scene, [target_of(scene, action)] * hold)[-1]
    return scenes


def corners(x: float, y: float, angle: float, scale: float) -> NDArray[np.float64]:
    """(8, 2) the corners of a T, its outline in order."""
    outline = scale * np.array(_OUTLINE)
    cosine, sine = math.cos(angle), math.sin(angle)
    return outline @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)


def gravity_of(scene: Scene) -> tuple[float, float]:
    """x and y of the T's centre of gravity."""
    x, y, angle = scene[2:5].tolist()
    return _centre(x, y, angle, float(scene[11]))[:2]


_OUTLINE = ((-2, 0), (2, 0), (2, 1), (0.5, 1), (0.5, 4), (-0.5, 4), (-0.5, 1), (-2, 1))
_BAR = ((-2, 1), (2, 1), (2, 0), (-2, 0))
_STEM = ((-0.5, 1), (-0.5, 4), (0.5, 4), (0.5, 1))
_GRAVITY = 1.5
"""From the T's place to its centre of gravity, in scales."""
_FURTHEST = math.hypot(0.5, 2.5)
"""From the T's centre of gravity to its furthest corner, in scales."""


def _path(
    x: float, y: float, vx: float, vy: float, targets: Sequence[tuple[float, float]]
) -> list[tuple[float, float, float, float]]:
    """Place and velocity of the agent after every substep; nothing that it meets changes them."""
    path = []
    for to_x, to_y in targets:
        for _ in range(_SUBSTEPS):
            vx += (_KP * (to_x - x) - _KV * vx) * _DT
            vy += (_KP * (to_y - y) - _KV * vy) * _DT
            x += vx * _DT
            y += vy * _DT
            path.append((x, y, vx, vy))
    return path


def _centre(x: float, y: float, angle: float, scale: float) -> tuple[float, float, float]:
    """The centre of gravity of a T that is at a place, and its angle."""
    arm = _GRAVITY * scale
    return x - arm * math.sin(angle), y + arm * math.cos(angle), angle


def _place(block: pymunk.Body, pose: Sequence[float]) -> None:
    """Brings the T's centre of gravity and its angle there."""
    x, y, angle = pose
    arm = block.center_of_gravity.y
    block.angle = angle  # first, since it turns the T about its centre of gravity
    block.position = (x + arm * math.sin(angle), y - arm * math.cos(angle))


def _pose(block: pymunk.Body) -> tuple[float, float, float]:
    """The T's centre of gravity, and its angle."""
    x, y = block.local_to_world(block.center_of_gravity)
    return x, y, block.angle


def _near_walls(pose: Sequence[float], scale: float, margin: float = 0.0) -> bool:
    """Whether a T whose centre of gravity is there may touch a wall, once it moved by a margin."""
    reach = _FURTHEST * scale + _WALL_RADIUS + 1.0 + margin
    return min(pose[:2]) - reach < _WALLS[0] or max(pose[:2]) + reach > _WALLS[1]


def _add_walls(space: pymunk.Space) -> None:
    low, high = _WALLS
    turns = [(low, high), (low, low), (high, low), (high, high), (low, high)]
    for start, end in pairwise(turns):
        space.add(pymunk.Segment(space.static_body, start, end, _WALL_RADIUS))


def _add_block(space: pymunk.Space, scale: float) -> pymunk.Body:
    """The T of mass 1. The moment counts the bar twice and the stem not at all, as the field's."""
    bar, stem = ([(scale * u, scale * v) for u, v in part] for part in (_BAR, _STEM))
    body = pymunk.Body(1.0, 2.0 * pymunk.moment_for_poly(1.0, bar))
    shapes = [pymunk.Poly(body, bar), pymunk.Poly(body, stem)]
    body.center_of_gravity = (0.0, _GRAVITY * scale)
    space.add(body, *shapes)
    return body
