"""Pushes that lead to the goals of PushBlocks: one straight on, or two round a wall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from armillary.envs.push_blocks.physics import (
    PUSHER_RADIUS,
    STEP_LENGTH,
    Scene,
    blocks_of,
    centres_of,
    make_scene,
    step,
)
from armillary.envs.push_blocks.regions import Region, Table, away, gaps
from armillary.envs.shapes import SHAPES, circumradius

GOAL_DISTANCE = (0.15, 0.30)
"""How far a block is pushed straight on, in arena widths."""
ROUND_DISTANCE = (0.1, 0.35)
"""How far each of two pushes round a wall goes."""
GAP = 0.02
MARGIN = 0.2
"""How near the edge of the arena a block may start."""

_UNTOUCHED = 0.01
_NEAR = 0.08
_TRIES = 2000
_POINTS = 12
_CELLS = 40


class Push(NamedTuple):
    """What leads to a goal.

    Attributes:
        blocks: (n, 8) at first.
        stand: (2,) where the pusher stands first, behind the block.
        goal: the scene after it.
        leave: (2,) where the pusher may stand after it, behind the block.
    """

    blocks: NDArray[np.float64]
    stand: NDArray[np.float64]
    goal: Scene
    leave: NDArray[np.float64]


def pushed_in_turn(
    rng: np.random.Generator, blocks: NDArray[np.float64], table: Table, count: int, behind: bool
) -> Push | None:
    """Pushes of ``count`` random blocks out of (n, 8), one after the other; None if one fails.

    Args:
        rng: draws which blocks, and how they are pushed.
        blocks: none of which touches a wall.
        table: where they are.
        count: of blocks that are pushed.
        behind: whether the first one is pushed round a wall, from where this is possible.
    """
    left, first, last = list(range(len(blocks))), None, None
    for _ in range(count):
        index = left.pop(int(rng.integers(len(left))))
        push = pushed_round if behind and first is None else pushed
        now = push(rng, blocks, index, table)
        if now is None or (
            last and table.walls and not walkable(last.leave, now.stand, blocks, table.walls)
        ):
            return None
        first, last, blocks = first or now, now, blocks_of(now.goal)
    return first and last and last._replace(blocks=first.blocks, stand=first.stand)


def pushed(
    rng: np.random.Generator, blocks: NDArray[np.float64], index: int, table: Table
) -> Push | None:
    """A random push of a block straight on, or None where that is no valid goal."""
    angle = rng.uniform(-math.pi, math.pi)
    direction = np.array([math.cos(angle), math.sin(angle)])
    pusher = _behind(blocks[index], direction)
    if not is_free(pusher, blocks, table.walls):
        return None
    distance = rng.uniform(*GOAL_DISTANCE)
    passed = _driven(make_scene(pusher, blocks), index, direction, distance, table)
    if not _valid(blocks, passed, index, GOAL_DISTANCE[1], table):
        return None
    goal = passed[-1]
    return Push(blocks, pusher, goal, _behind(blocks_of(goal)[index], direction))


def pushed_round(
    rng: np.random.Generator, blocks: NDArray[np.float64], index: int, table: Table
) -> Push | None:
    """Two pushes at right angles of a block to where no straight one leads.

    Between them the pusher can walk round without touching a thing.

    Args:
        rng: draws where the block is instead, and how it is pushed.
        blocks: (n, 8), none of which touches a wall.
        index: of the block.
        table: with walls.

    Returns:
        None where a draw leads to no valid goal.
    """
    way = _free_way(rng, blocks, index, table.walls)
    if way is None:
        return None
    legs = np.diff(way, axis=0)
    distances = np.linalg.norm(legs, axis=1)
    directions = legs / distances[:, None]
    blocks = blocks.copy()
    blocks[index, :2] = way[0]
    stand = _behind(blocks[index], directions[0])
    passed = _driven(make_scene(stand, blocks), index, directions[0], distances[0], table)
    between = blocks_of(passed[-1])
    back, beside = (_behind(between[index], direction) for direction in directions)
    if not (is_free(beside, between, table.walls) and walkable(back, beside, between, table.walls)):
        return None
    passed += _driven(make_scene(beside, between), index, directions[1], distances[1], table)
    straight = np.linspace(way[0], blocks_of(passed[-1])[index, :2], _POINTS)
    blocked = _blocked(straight, blocks[index], table.walls)
    if not blocked or not _valid(blocks, passed, index, math.inf, table):
        return None
    goal = passed[-1]
    return Push(blocks, stand, goal, _behind(blocks_of(goal)[index], directions[1]))


def reach_of(block: NDArray[np.float64]) -> float:
    """From the centre of a block (8,) to its furthest point."""
    return circumradius(SHAPES[int(block[3])], float(block[4]))


def is_free(
    pusher: NDArray[np.float64], blocks: NDArray[np.float64], walls: Sequence[Region] = ()
) -> bool:
    """Whether a pusher there lies in the arena and touches no block and no wall."""
    if not ((pusher >= PUSHER_RADIUS) & (pusher <= 1.0 - PUSHER_RADIUS)).all():
        return False
    if walls and away(walls, pusher[None]) <= PUSHER_RADIUS + 0.5 * GAP:
        return False
    return all(
        math.dist(pusher, block[:2]) > reach_of(block) + PUSHER_RADIUS + GAP for block in blocks
    )


def walkable(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    blocks: NDArray[np.float64],
    walls: Sequence[Region],
) -> bool:
    """Whether the pusher can go from one place (2,) to another without touching a thing."""
    cells = _cells()
    free = gaps(walls, cells) > PUSHER_RADIUS + 0.25 * GAP
    free &= ((cells > PUSHER_RADIUS) & (cells < 1.0 - PUSHER_RADIUS)).all(-1)
    for block in blocks:
        apart = np.linalg.norm(cells - block[:2], axis=-1)
        free &= apart > reach_of(block) + PUSHER_RADIUS + 0.25 * GAP
    (column, row), (to_column, to_row) = (np.array([start, end]) * _CELLS).astype(int)
    reached = np.zeros_like(free)
    reached[row, column] = free[row, column]
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= free
        if grown[to_row, to_column] or np.array_equal(grown, reached):
            return bool(grown[to_row, to_column])
        reached = grown


@lru_cache(maxsize=1)
def _cells() -> NDArray[np.float64]:
    """(rows, columns, 2): x and y of the middles of cells of the arena."""
    middles = (np.arange(_CELLS) + 0.5) / _CELLS
    return np.stack(np.meshgrid(middles, middles), -1)


def _behind(block: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,): where the pusher stands to push a block (8,)."""
    return block[:2] - _standoff(block) * direction


def _standoff(block: NDArray[np.float64]) -> float:
    return reach_of(block) + PUSHER_RADIUS + 1.5 * GAP


def _driven(
    scene: Scene, index: int, direction: NDArray[np.float64], distance: float, table: Table
) -> list[Scene]:
    """The scenes of a push of block ``index`` straight on by a distance, the first one included."""
    block = blocks_of(scene)[index].copy()
    standoff = math.dist(scene[1:3], block[:2])
    passed = [scene]
    for _ in range(math.ceil((distance + standoff) / STEP_LENGTH)):
        left = distance - math.dist(blocks_of(scene)[index, :2], block[:2])
        action = direction * min(1.0, max(left, 0.01) / STEP_LENGTH)
        scene = step(scene, action, table.walls)
        passed.append(scene)
    return passed


def _valid(
    blocks: NDArray[np.float64], passed: Sequence[Scene], index: int, furthest: float, table: Table
) -> bool:
    """Whether a push moved one of blocks (n, 8) so far, no other, and kept regions clear."""
    goal = passed[-1]
    moved = np.linalg.norm(blocks_of(goal)[:, :2] - blocks[:, :2], axis=1)
    others = np.delete(moved, index)
    inside = ((goal[1:3] > 0.0) & (goal[1:3] < 1.0)).all()
    alone = GOAL_DISTANCE[0] <= moved[index] <= furthest and (others < _UNTOUCHED).all()
    centres = np.stack([centres_of(scene) for scene in passed])
    return bool(alone and inside and _past(table.keep_clear, centres, index))


def _past(keep_clear: Sequence[Region], passed: NDArray[np.float64], index: int) -> bool:
    """Whether centres (T, 1 + n, 2) keep clear; pusher or block ``index`` come near a region."""
    if not keep_clear:
        return True
    moved = passed[:, [0, 1 + index]].reshape(-1, 2)
    return away(keep_clear, passed.reshape(-1, 2)) > 0.0 and away(keep_clear, moved) <= _NEAR


def _free_way(
    rng: np.random.Generator, blocks: NDArray[np.float64], index: int, walls: Sequence[Region]
) -> NDArray[np.float64] | None:
    """(3, 2): a place of one of the blocks, a corner and an end, with a wall on the straight way.

    Nothing lies on the way round the corner, nor where the pusher stands; None where none is found.
    """
    block, reach = blocks[index], reach_of(blocks[index])
    others = [(other[:2], reach_of(other) + GAP) for other in np.delete(blocks, index, 0)]

    def clear(points: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
        """(T, N, 2) -> (N,): whether a thing fits in at every one of T points."""
        room: Any = (np.abs(points - 0.5) < 0.5 - radius).all(0).all(-1)
        room &= (gaps(walls, points) > radius + 0.5 * GAP).all(0)
        for place, apart in others:
            offset = points - place
            room &= ((offset**2) @ [1.0, 1.0] > (radius + apart) ** 2).all(0)
        return room

    angles = rng.uniform(-math.pi, math.pi, _TRIES)
    turned = angles + rng.choice([-0.5, 0.5], _TRIES) * math.pi
    directions = np.stack([np.cos([angles, turned]), np.sin([angles, turned])], -1)
    legs = rng.uniform(*ROUND_DISTANCE, (2, _TRIES, 1)) * directions
    start = rng.uniform(MARGIN, 1.0 - MARGIN, (1, _TRIES, 2))
    ways = np.concatenate([start, start + legs.cumsum(0)])
    stands = ways[:2] - _standoff(block) * directions
    ways = ways[:, clear(ways, reach) & clear(stands, PUSHER_RADIUS)]
    ways = ways[:, _blocked(np.linspace(ways[0], ways[2], _POINTS), block, walls)]
    ways = ways[:, clear(np.concatenate(np.linspace(ways[:2], ways[1:], _POINTS)), reach)]
    return ways[:, 0] if ways.shape[1] else None


def _blocked(way: NDArray[np.float64], block: NDArray[np.float64], walls: Sequence[Region]) -> Any:
    """Whether a block (8,) does not get along a way (T, ..., 2) for a wall -> (...) bool."""
    return gaps(walls, way).min(0) < 0.5 * block[4]
