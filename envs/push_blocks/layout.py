"""Samples PushBlocks problems: a start scene and a goal that a push is known to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.options import PALETTE, color, is_one_of, listed, within
from armillary.envs.push_blocks.physics import (
    BLOCK,
    MAX_BLOCKS,
    PUSHER_RADIUS,
    SIZE_RANGE,
    Scene,
    centres_of,
    make_scene,
)
from armillary.envs.push_blocks.pushes import (
    GAP,
    MARGIN,
    is_free,
    pushed_in_turn,
    reach_of,
    walkable,
)
from armillary.envs.push_blocks.regions import EMPTY, Region, Table, away, gaps
from armillary.envs.shapes import SHAPES
from armillary.errors import ArmillaryError

BEHIND_WALLS = 0.75
"""The share of problems whose goals are behind a wall, where there are walls."""

_DEFAULT_SIZES = (0.065, 0.08)
_ATTEMPTS = 2000
_BEHIND_ATTEMPTS = 150
_PLACES = 64


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
        if not is_one_of(count, range(1, MAX_BLOCKS + 1)):
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
    rng: np.random.Generator, factors: Factors, table: Table = EMPTY, num_moved: int = 1
) -> tuple[Scene, Scene]:
    """Draws a start and a goal scene.

    The goal is what the physics makes of a straight push of ``num_moved`` blocks, one after the
    other, each by a distance in ``GOAL_DISTANCE`` and touching no other; the pusher then starts
    somewhere else. Where there are regions to be kept clear, these pushes enter none, and pass one
    at most 0.08 away. Where there are walls, three goals of four have a block behind one, if there
    is room, to which two pushes lead; the pusher can walk to where each push starts without
    touching a thing.

    Raises:
        ArmillaryError: the blocks are too large to find a problem.
    """
    keep_clear = table.keep_clear
    round_walls = _BEHIND_ATTEMPTS if table.walls and rng.random() < BEHIND_WALLS else 0
    for attempt in range(_ATTEMPTS):
        blocks = _sample_blocks(rng, factors, table.walls)
        if blocks is None or (keep_clear and away(keep_clear, blocks[:, :2]) <= 0.0):
            continue
        found = pushed_in_turn(rng, blocks, table, num_moved, attempt < round_walls)
        pusher = rng.uniform(PUSHER_RADIUS, 1.0 - PUSHER_RADIUS, 2)
        if found is None or not is_free(pusher, found.blocks, table.walls):
            continue
        start = make_scene(pusher, found.blocks)
        if keep_clear and away(keep_clear, centres_of(start)) <= 0.0:
            continue
        if not table.walls or walkable(pusher, found.stand, found.blocks, table.walls):
            return start, found.goal
    regions = len(keep_clear) + len(table.walls)
    raise ArmillaryError(
        f"found no solvable problem with blocks of sizes {factors.sizes} and {regions} "
        f"regions in {_ATTEMPTS} attempts; choose smaller or fewer blocks or regions"
    )


def _sample_blocks(
    rng: np.random.Generator, factors: Factors, walls: Sequence[Region]
) -> NDArray[np.float64] | None:
    """Blocks (n, 8) that touch no wall and not each other, or None where the draw overlaps."""
    count = len(factors.shapes)
    blocks = np.zeros((count, BLOCK))
    blocks[:, :2] = rng.uniform(MARGIN, 1.0 - MARGIN, (count, 2))
    blocks[:, 2] = rng.uniform(-math.pi, math.pi, count)
    blocks[:, 3] = [SHAPES.index(shape) for shape in factors.shapes]
    blocks[:, 4] = factors.sizes
    blocks[:, 5:] = factors.colors
    reach = [reach_of(block) for block in blocks]
    for block, radius in zip(blocks, reach, strict=True) if walls else ():
        drawn = rng.uniform(MARGIN, 1.0 - MARGIN, (_PLACES, 2))
        clear = gaps(walls, drawn) > radius + 0.5 * GAP
        if not clear.any():
            return None
        block[:2] = drawn[clear.argmax()]
    for i in range(count):
        for j in range(i):
            if math.dist(blocks[i, :2], blocks[j, :2]) < reach[i] + reach[j] + GAP:
                return None
    return blocks
