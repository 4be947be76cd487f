"""Top-down physics of a pusher among rigid blocks, as a pure function of a flat scene vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pymunk
from numpy.typing import NDArray

from armillary.envs.push_blocks.regions import Region
from armillary.envs.shapes import SHAPES, circumradius, polygon

MAX_BLOCKS = 4
SIZE_RANGE = (0.05, 0.10)
PUSHER_RADIUS = 0.06
STEP_LENGTH = 0.1
"""Displacement of the pusher under an action of 1, in arena widths."""

HEADER = 3
BLOCK = 8
SCENE_SIZE = HEADER + BLOCK * MAX_BLOCKS
"""Length of a scene vector: block count, pusher x and y, then per block x, y, angle in radians,
index into ``SHAPES``, size, red, green, blue. Rows of absent blocks are zero."""

_SUBSTEPS = 10
_PUSHER_MASS = 20.0
_FRICTION = 0.4
_CLEARANCE = 1e-3
_GREATEST_MOVE = 1.5 * STEP_LENGTH

Scene = NDArray[np.float64]


def blocks_of(scene: Scene) -> NDArray[np.float64]:
    """(n, 8) view of the blocks that are present."""
    return scene[HEADER:].reshape(MAX_BLOCKS, BLOCK)[: int(scene[0])]


def centres_of(scene: Scene) -> NDArray[np.float64]:
    """(1 + n, 2): x and y of the pusher and of the blocks that are present."""
    return np.concatenate([scene[None, 1:3], blocks_of(scene)[:, :2]])


def make_scene(pusher: NDArray[np.float64], blocks: NDArray[np.float64]) -> Scene:
    """Assembles a scene vector from a pusher position (2,) and blocks (n, 8)."""
    scene = np.zeros(SCENE_SIZE)
    scene[0] = len(blocks)
    scene[1:3] = pusher
    scene[HEADER : HEADER + BLOCK * len(blocks)] = blocks.reshape(-1)
    return scene


def step(scene: Scene, action: NDArray[np.floating], walls: Sequence[Region] = ()) -> Scene:
    """Moves the pusher by ``action * STEP_LENGTH``; blocks rest unless something pushes them.

    A pure function, bit for bit: the pymunk space is made afresh of what the pusher can reach, so
    a restored scene continues exactly as the original would have.

    Args:
        scene: (SCENE_SIZE,), see ``SCENE_SIZE``.
        action: (2,) in [-1, 1], x to the right and y downwards.
        walls: inside the arena, which hold the pusher and blocks.

    Returns:
        The next scene vector; the argument is left as it was.
    """
    scene = scene.copy()
    x, y = float(scene[1]), float(scene[2])
    low, high = PUSHER_RADIUS, 1.0 - PUSHER_RADIUS
    dx = min(max(x + float(action[0]) * STEP_LENGTH, low), high) - x
    dy = min(max(y + float(action[1]) * STEP_LENGTH, low), high) - y
    blocks = blocks_of(scene)
    rows = blocks[:, :5].tolist()
    touched = _reachable(x, y, dx, dy, rows)
    met = [wall for wall in walls if _may_meet(wall, x, y, dx, dy, [rows[i] for i in touched])]
    if not touched and not met:
        scene[1], scene[2] = x + dx, y + dy
        return scene
    space = pymunk.Space()
    space.damping = 0.0
    space.collision_slop = 1e-4
    pusher = _add_pusher(space, x, y)
    bodies = {index: _add_block(space, rows[index]) for index in touched}
    if touched:
        _add_edges(space, [rows[index] for index in touched])
    for wall in met:
        _add_wall(space, wall)
    _push(space, pusher, dx, dy)
    scene[1:3] = pusher.position
    for index, body in bodies.items():
        blocks[index, :2] = body.position
        blocks[index, 2] = body.angle
    return scene


def simulate(
    scene: Scene, actions: NDArray[np.floating], walls: Sequence[Region] = ()
) -> NDArray[np.float64]:
    """Steps through ``actions`` (T, 2) and returns the scenes (T, SCENE_SIZE)."""
    scenes = np.empty((len(actions), SCENE_SIZE))
    for t, action in enumerate(actions):
        scene = scenes[t] = step(scene, action, walls)
    return scenes


def _reachable(x: float, y: float, dx: float, dy: float, rows: list[list[float]]) -> list[int]:
    """Blocks that the pusher's path meets, and those that may be met by a block so moved."""
    reach = [circumradius(SHAPES[int(row[3])], row[4]) for row in rows]
    length2 = dx * dx + dy * dy
    found: list[int] = []
    for index, (bx, by, *_) in enumerate(rows):
        along = ((bx - x) * dx + (by - y) * dy) / length2 if length2 > 0.0 else 0.0
        along = min(max(along, 0.0), 1.0)
        distance = math.hypot(x + along * dx - bx, y + along * dy - by)
        if distance < reach[index] + PUSHER_RADIUS + _CLEARANCE:
            found.append(index)
    for index in found:  # grows while it is walked: a block may push the next one
        for other in range(len(rows)):
            gap = math.dist(rows[index][:2], rows[other][:2]) - reach[index] - reach[other]
            if other not in found and gap < _GREATEST_MOVE:
                found.append(other)
    return found


def _may_meet(
    wall: Region, x: float, y: float, dx: float, dy: float, rows: list[list[float]]
) -> bool:
    """Whether the pusher's path, or a block that is pushed, may come up to a wall."""
    left, top, right, bottom = wall
    near = PUSHER_RADIUS + _CLEARANCE
    if (
        min(x, x + dx) - near < right
        and max(x, x + dx) + near > left
        and min(y, y + dy) - near < bottom
        and max(y, y + dy) + near > top
    ):
        return True
    return any(
        math.hypot(max(left - row[0], row[0] - right, 0.0), max(top - row[1], row[1] - bottom, 0.0))
        < circumradius(SHAPES[int(row[3])], row[4]) + _GREATEST_MOVE
        for row in rows
    )


def _add_pusher(space: pymunk.Space, x: float, y: float) -> pymunk.Body:
    body = pymunk.Body(_PUSHER_MASS, float("inf"))
    body.position = (x, y)
    shape = pymunk.Circle(body, PUSHER_RADIUS)
    shape.friction = _FRICTION
    space.add(body, shape)
    return body


def _add_block(space: pymunk.Space, row: list[float]) -> pymunk.Body:
    x, y, angle, kind, size = row
    mass = (size / 0.07) ** 2
    name = SHAPES[int(kind)]
    if name == "disc":
        body = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0.0, size))
        shape: pymunk.Shape = pymunk.Circle(body, size)
    else:
        vertices = polygon(name, size)
        body = pymunk.Body(mass, pymunk.moment_for_poly(mass, vertices))
        shape = pymunk.Poly(body, vertices)
    body.position, body.angle = (x, y), angle
    shape.friction = _FRICTION
    space.add(body, shape)
    return body


def _add_wall(space: pymunk.Space, wall: Region) -> None:
    left, top, right, bottom = wall
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    shape = pymunk.Poly(space.static_body, corners)
    shape.friction = _FRICTION
    space.add(shape)


def _add_edges(space: pymunk.Space, rows: list[list[float]]) -> None:
    """The edges of the arena that one of these blocks may be pushed against."""
    corners = [(-0.1, -0.1), (1.1, -0.1), (1.1, 1.1), (-0.1, 1.1)]
    clearance = [
        min(row[1] for row in rows),
        min(1.0 - row[0] for row in rows),
        min(1.0 - row[1] for row in rows),
        min(row[0] for row in rows),
    ]
    for side, (start, end) in enumerate(zip(corners, corners[1:] + corners[:1], strict=True)):
        if clearance[side] < 2.0 * SIZE_RANGE[1] + _GREATEST_MOVE:
            wall = pymunk.Segment(space.static_body, start, end, 0.1)
            wall.friction = _FRICTION
            space.add(wall)


def _push(space: pymunk.Space, pusher: pymunk.Body, dx: float, dy: float) -> None:
    """Drives the pusher with a constant desired velocity for one unit of time.

    The space's damping of 0 removes every velocity before the solver runs, so each substep starts
    from the force alone. Velocities are integrated one substep later, hence one more.
    """
    interval = 1.0 / _SUBSTEPS
    force = (_PUSHER_MASS * dx / interval, _PUSHER_MASS * dy / interval)
    for _ in range(_SUBSTEPS + 1):
        pusher.force = force
        space.step(interval)
