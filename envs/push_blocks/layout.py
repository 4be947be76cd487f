"""Samples PushBlocks problems: a start scene and a goal that a push is known to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.options import color, listed, within
from armillary.envs.push_blocks.physics import (
    BLOCK,
    MAX_BLOCKS,
    PUSHER_RADIUS,
    SIZE_RANGE,
    STEP_LENGTH,
    Scene,
    blocks_of,
    centres_of,
    make_scene,
    step,
)
from armillary.envs.push_blocks.regions import Region, away
from armillary.envs.shapes import SHAPES, circumradius
from armillary.errors import ArmillaryError

PALETTE: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.20, 0.18),
    "green": (0.20, 0.65, 0.26),
    "blue": (0.16, 0.36, 0.86),
    "yellow": (0.95, 0.77, 0.10),
    "purple": (0.60, 0.22, 0.72),
    "cyan": (0.12, 0.72, 0.78),
}
GOAL_DISTANCE = (0.15, 0.30)

_DEFAULT_SIZES = (0.065, 0.08)
_MARGIN = 0.2
_GAP = 0.02
_UNTOUCHED = 0.01
_NEAR = 0.08
_ATTEMPTS = 2000


@dataclass(frozen=True)
class Factors:
    """The factors of variation of a scene, one entry per block.

    Attributes:
        shapes: names out of ``armillary.envs.shapes.SHAPES``.
        sizes: radius of the disc of equal area, in arena widths, in ``SIZE_RANGE``.
        colors: RGB in [0, 1].
    """

    shapes: tuple[str, ...]
    sizes: tuple[float, ...]
    colors: tuple[tuple[float, float, float], ...]

    @classmethod
    def sample(
        cls, rng: np.random.Generator, num_blocks: int, options: Mapping[str, Any]
    ) -> Factors:
        """Draws the factors that ``options`` leaves open.

        Args:
            rng: the environment's generator.
            num_blocks: the number of blocks unless the options say another.
            options: any of ``num_blocks`` and the attributes above; a color may be a name out of
                ``PALETTE``.

        Raises:
            ArmillaryError: an option is unknown or out of its range.
        """
        valid = ["num_blocks", *(field.name for field in fields(cls))]
        unknown = sorted(set(options) - set(valid))
        if unknown:
            raise ArmillaryError(f"unknown reset options {unknown}; choose from {valid}")
        count = options.get("num_blocks", num_blocks)
        if count not in range(1, MAX_BLOCKS + 1):
            raise ArmillaryError(
                f"num_blocks must be an integer from 1 to {MAX_BLOCKS}, got {count!r}"
            )
        drawn_colors = rng.permutation(list(PALETTE))[:count].tolist()
        drawn_shapes = rng.choice(SHAPES, count).tolist()
        drawn_sizes = rng.uniform(*_DEFAULT_SIZES, count).round(4).tolist()
        return cls(
            shapes=tuple(_shape(s) for s in listed(options, "shapes", drawn_shapes)),
            sizes=tuple(
                within("a block's size", size, SIZE_RANGE, "arena widths")
                for size in listed(options, "sizes", drawn_sizes)
            ),
            colors=tuple(
                color("color", one, PALETTE) for one in listed(options, "colors", drawn_colors)
            ),
        )


def _shape(value: Any) -> str:
    if value not in SHAPES:
        raise ArmillaryError(f"unknown shape {value!r}; choose from {list(SHAPES)}")
    return value


def sample_problem(
    rng: np.random.Generator,
    factors: Factors,
    keep_clear: Sequence[Region] = (),
    num_moved: int = 1,
) -> tuple[Scene, Scene]:
    """Draws a start and a goal scene.

    The goal is what the physics makes of a straight push of ``num_moved`` blocks, one after the
    other, each by a distance in ``GOAL_DISTANCE`` and touching no other; the pusher then starts
    somewhere else. Where there are regions to be kept clear, these pushes enter none, and pass one
    at most 0.08 away.

    Raises:
        RuntimeError: the blocks are too large to find a problem.
    """
    for _ in range(_ATTEMPTS):
        blocks = _sample_blocks(rng, factors)
        if blocks is None or (keep_clear and away(keep_clear, blocks[:, :2]) <= 0.0):
            continue
        goal = _pushed_in_turn(rng, blocks, keep_clear, num_moved)
        pusher = rng.uniform(PUSHER_RADIUS, 1.0 - PUSHER_RADIUS, 2)
        if goal is None or not _is_free(pusher, blocks):
            continue
        start = make_scene(pusher, blocks)
        if not keep_clear or away(keep_clear, centres_of(start)) > 0.0:
            return start, goal
    raise RuntimeError(
        f"found no solvable problem with blocks of sizes {factors.sizes} and {len(keep_clear)} "
        f"regions in {_ATTEMPTS} attempts; choose smaller or fewer blocks or regions"
    )


def _sample_blocks(rng: np.random.Generator, factors: Factors) -> NDArray[np.float64] | None:
    """Blocks (n, 8) that do not touch each other, or None where the draw overlaps."""
    count = len(factors.shapes)
    blocks = np.zeros((count, BLOCK))
    blocks[:, :2] = rng.uniform(_MARGIN, 1.0 - _MARGIN, (count, 2))
    blocks[:, 2] = rng.uniform(-math.pi, math.pi, count)
    blocks[:, 3] = [SHAPES.index(shape) for shape in factors.shapes]
    blocks[:, 4] = factors.sizes
    blocks[:, 5:] = factors.colors
    reach = [circumradius(*pair) for pair in zip(factors.shapes, factors.sizes, strict=True)]
    for i in range(count):
        for j in range(i):
            if math.dist(blocks[i, :2], blocks[j, :2]) < reach[i] + reach[j] + _GAP:
                return None
    return blocks


def _is_free(pusher: NDArray[np.float64], blocks: NDArray[np.float64]) -> bool:
    """Whether a pusher there lies in the arena and touches no block."""
    if not ((pusher >= PUSHER_RADIUS) & (pusher <= 1.0 - PUSHER_RADIUS)).all():
        return False
    return all(
        math.dist(pusher, block[:2])
        > circumradius(SHAPES[int(block[3])], block[4]) + PUSHER_RADIUS + _GAP
        for block in blocks
    )


def _pushed_in_turn(
    rng: np.random.Generator,
    blocks: NDArray[np.float64],
    keep_clear: Sequence[Region],
    count: int,
) -> Scene | None:
    """The scene after pushing ``count`` random blocks, or None where that is no valid goal."""
    left = list(range(len(blocks)))
    scene = None
    for _ in range(count):
        index = left.pop(int(rng.integers(len(left))))
        scene = _pushed(rng, blocks, index, keep_clear)
        if scene is None:
            return None
        blocks = blocks_of(scene)
    return scene


def _pushed(
    rng: np.random.Generator,
    blocks: NDArray[np.float64],
    index: int,
    keep_clear: Sequence[Region],
) -> Scene | None:
    """The scene after pushing a block straight on, or None where that is no valid goal."""
    block = blocks[index]
    angle = rng.uniform(-math.pi, math.pi)
    direction = np.array([math.cos(angle), math.sin(angle)])
    standoff = circumradius(SHAPES[int(block[3])], block[4]) + PUSHER_RADIUS + 1.5 * _GAP
    pusher = block[:2] - standoff * direction
    if not _is_free(pusher, blocks):
        return None
    distance = rng.uniform(*GOAL_DISTANCE)
    scene = make_scene(pusher, blocks)
    passed = [centres_of(scene)]
    for _ in range(math.ceil((distance + standoff) / STEP_LENGTH)):
        left = distance - math.dist(blocks_of(scene)[index, :2], block[:2])
        scene = step(scene, direction * min(1.0, max(left, 0.01) / STEP_LENGTH))
        passed.append(centres_of(scene))
    moved = np.linalg.norm(blocks_of(scene)[:, :2] - blocks[:, :2], axis=1)
    others = np.delete(moved, index)
    inside = ((scene[1:3] > 0.0) & (scene[1:3] < 1.0)).all()
    valid = GOAL_DISTANCE[0] <= moved[index] <= GOAL_DISTANCE[1] and (others < _UNTOUCHED).all()
    return scene if valid and inside and _past(keep_clear, np.stack(passed), index) else None


def _past(keep_clear: Sequence[Region], passed: NDArray[np.float64], index: int) -> bool:
    """Whether centres (T, 1 + n, 2) keep clear; pusher or block ``index`` come near a region."""
    if not keep_clear:
        return True
    moved = passed[:, [0, 1 + index]].reshape(-1, 2)
    return away(keep_clear, passed.reshape(-1, 2)) > 0.0 and away(keep_clear, moved) <= _NEAR
