"""Ways round the T: the shortest over a ring of points about it, none of which touches it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.push_t.layout import clearance
from armillary.envs.push_t.physics import ARENA, Scene, gravity_of

_RING, _RING_RADIUS = 12, 108.0
_SAMPLES = 12
"""Points of a leg that are looked at."""
_MARGIN = 15.0
"""Of the ring to the border."""


def way_round(scene: Scene, end: NDArray[np.float64], gap: float) -> list[NDArray[np.float64]]:
    """Waypoints (2,) of the agent from where it is to ``end``, which is the last; empty for none.

    Args:
        scene: scene vector.
        end: (2,), in pixels.
        gap: that the agent's edge keeps from the T, in pixels.
    """
    angles = np.arange(_RING) * (2.0 * math.pi / _RING)
    around = np.stack([np.cos(angles), np.sin(angles)], -1)
    ring = np.array(gravity_of(scene)) + _RING_RADIUS * around
    nodes = np.concatenate([scene[None, 0:2], end[None], ring.clip(_MARGIN, ARENA - _MARGIN)])
    lengths = _free_lengths(scene, nodes, float(scene[10]) + gap)
    return [nodes[index] for index in _shortest(lengths)]


def _free_lengths(scene: Scene, nodes: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """(n, n) lengths of the straight legs between nodes, infinite for those that the T bars.

    Where a leg begins is not looked at, so that an agent at the T can leave it.
    """
    share = np.linspace(0.0, 1.0, _SAMPLES + 1)[1:, None]
    legs = nodes[:, None, None] * (1.0 - share) + nodes[None, :, None] * share
    free = (clearance(scene, legs.reshape(-1, 2)) > reach).reshape(legs.shape[:3]).all(-1)
    return np.where(free, np.linalg.norm(nodes[:, None] - nodes, axis=-1), math.inf)


def _shortest(lengths: NDArray[np.float64]) -> list[int]:
    """The nodes after node 0 on the shortest way to node 1 (Dijkstra 1959); empty for none."""
    found, before = lengths[0].copy(), np.zeros(len(lengths), int)
    left = np.ones(len(lengths), bool)
    left[0] = False
    while left[1]:
        open_ends = np.where(left, found, math.inf)
        nearest = int(open_ends.argmin())
        if not math.isfinite(open_ends[nearest]):
            return []
        left[nearest] = False
        through = found[nearest] + lengths[nearest]
        shorter = through < found
        found[shorter], before[shorter] = through[shorter], nearest
    way = [1]
    while before[way[0]]:
        way.insert(0, int(before[way[0]]))
    return way
