"""Samples StackBlocks problems: a start, and a goal that picking and placing is known to reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armillary.envs.stack_blocks.factors import Factors
from armillary.envs.stack_blocks.physics import ARENA, put_down, settled
from armillary.envs.stack_blocks.scene import Scene, camera_of, make_scene, positions_of
from armillary.errors import ArmillaryError

MOST_MOVED = 3
"""Up to so many blocks all are moved by a problem, of more only one."""

_STACKED = 0.4
_HIGHEST = 3
_MARGIN = 0.3
_APART = 0.1
_OFFSET = 0.08
"""How far from the middle of what it lies on a stacked block is put, at most."""
_MOVED = 0.6
"""How far from its place in the goal everything is that a problem moves, at least."""
_UNTOUCHED = 0.05
_EDGE = 0.04
_ATTEMPTS = 500


def sample_problem(rng: np.random.Generator, factors: Factors, room: int) -> tuple[Scene, Scene]:
    """Draws a start and a goal, both scene vectors with room for ``room`` blocks.

    With up to ``MOST_MOVED`` blocks the start is flat and the goal is a fresh arrangement, in which
    each block stands on others with a probability of 0.4; no block starts at its place. With more
    of them both scenes are such arrangements, and differ in one block.

    Raises:
        ArmillaryError: the blocks are too large for each other.
    """
    for _ in range(_ATTEMPTS):
        several = len(factors.sizes) <= MOST_MOVED
        start = _arranged(rng, factors, room, 0.0 if several else _STACKED)
        if start is None:
            continue
        goal = _arranged(rng, factors, room, _STACKED) if several else _one_moved(rng, start)
        if goal is None:
            continue
        apart = np.linalg.norm(positions_of(start) - positions_of(goal), axis=1)
        moved = apart > _MOVED
        if moved.all() if several else moved.sum() == 1 and (apart[~moved] < _UNTOUCHED).all():
            return start, goal
    raise ArmillaryError(f"no problem was found for blocks of the half sides {factors.sizes}")


def _arranged(
    rng: np.random.Generator, factors: Factors, room: int, stacked: float
) -> Scene | None:
    """Blocks on the table and on each other, at rest; None where they do not stay or are unseen."""
    sizes = factors.sizes
    poses = np.zeros((len(sizes), 7))
    poses[:, 3] = 1.0
    levels: dict[int, int] = {}
    covered: set[int] = set()
    for block in rng.permutation(len(sizes)).tolist():  # the highest may be any of them
        under = [k for k in levels if k not in covered and levels[k] < _HIGHEST]
        if under and rng.random() < stacked:
            below = int(rng.choice(under))
            covered.add(below)
            levels[block] = levels[below] + 1
            poses[block, :2] = poses[below, :2] + rng.uniform(-_OFFSET, _OFFSET, 2)
            poses[block, 2] = poses[below, 2] + sizes[below] + sizes[block]
        else:
            free = _free(rng, block, [k for k in levels if levels[k] == 1], poses, sizes)
            if free is None:
                return None
            levels[block] = 1
            poses[block, :3] = *free, sizes[block]
    scene = settled(make_scene(room, factors.camera, factors.looks, poses))
    stayed = np.linalg.norm(positions_of(scene) - poses[:, :3], axis=1) < _UNTOUCHED
    return scene if stayed.all() and _seen(scene) else None


def _free(
    rng: np.random.Generator,
    block: int,
    others: Sequence[int],
    poses: NDArray[np.float64],
    sizes: Sequence[float],
) -> NDArray[np.float64] | None:
    """(2,) a place on the table away from the blocks that lie there."""
    apart = np.array([sizes[block] + sizes[other] + _APART for other in others])
    for _ in range(_ATTEMPTS):
        place = _place(rng)
        if not (np.abs(poses[others, :2] - place).max(1) < apart).any():
            return place
    return None


def _place(rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = np.transpose(ARENA)
    return rng.uniform(low + _MARGIN, high - _MARGIN)


def _one_moved(rng: np.random.Generator, start: Scene) -> Scene | None:
    """The scene after a block on which none stands was put on the table or on another."""
    positions = positions_of(start)
    aside = np.abs(positions[:, None, :2] - positions[:, :2]).max(-1)
    lower = positions[:, None, 2] < positions[:, 2] - _UNTOUCHED
    uncovered = np.flatnonzero(~((aside < 2 * _OFFSET) & lower).any(1))
    block = int(rng.choice(uncovered))
    others = uncovered[uncovered != block]
    place = _place(rng)
    if len(others) and rng.random() < _STACKED:
        place = positions[rng.choice(others), :2] + rng.uniform(-_OFFSET, _OFFSET, 2)
    goal = settled(put_down(start, block, place))
    held = positions_of(put_down(start, block, place))[block]
    stayed = np.linalg.norm(positions_of(goal)[block] - held) < 2 * _UNTOUCHED
    return goal if stayed and _seen(goal) else None


def _seen(scene: Scene) -> bool:
    """Whether the middle of every block is in the image, clear of its edge."""
    places = camera_of(scene).project(positions_of(scene))
    return bool(((places > _EDGE) & (places < 1.0 - _EDGE)).all())
