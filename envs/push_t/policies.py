"""The policy that collects PushT data: pushes across the T's edges, and ways round it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.options import probability
from armillary.envs.push_t.physics import ARENA, REACH, Scene, corners, gravity_of
from armillary.envs.push_t.routes import way_round

_STANDOFF = 38.0
"""From the contour, where a push begins."""
_LENGTHS, _SPREAD = (40.0, 130.0), math.radians(20.0)
_BORDER, _GAP = 15.0, 4.0
_BLOCK_BORDER, _SHARE = 80.0, 0.7
"""What a push keeps the centre of gravity of the T from, which the agent could press through walls,
and the share of a push by which the T usually moves."""
_ARRIVED = 8.0
_CHOICES = 16


class PushPolicy:
    """Goes round the T to a point of its contour, pushes across that edge, then picks another.

    A push goes 40 to 130 pixels along the inner normal, turned by up to 20 degrees. Some are drawn
    uniformly, and the one that begins nearest is taken, so that less time is spent on the way.
    Actions may be of either kind: it aims at a waypoint until it is there.

    Args:
        free: probability of a move to anywhere in the place of a push.
    """

    def __init__(self, free: float = 0.12) -> None:
        self.free = probability("free", free)
        self._rng = np.random.default_rng(0)
        self._waypoints: list[NDArray[np.float64]] = []
        self._patience = 0

    def reset(self, rng: np.random.Generator) -> None:
        """Forgets where it was going."""
        self._rng = rng
        self._waypoints = []

    def act(self, scene: Scene) -> NDArray[np.float32]:
        """(2,): straight towards the next waypoint, as far as an action reaches."""
        here = scene[0:2]
        if self._waypoints and (self._patience <= 0 or _near(here, self._waypoints[0])):
            self._go(here, self._waypoints[1:])
        if not self._waypoints:
            self._go(here, self._plan(scene))
        self._patience -= 1
        action = (self._waypoints[0] - here) / REACH
        return (action / max(1.0, float(np.abs(action).max()))).astype(np.float32)

    def _go(self, here: NDArray[np.float64], waypoints: list[NDArray[np.float64]]) -> None:
        """Aims at the first waypoint, but not for ever: noise may keep the agent from it."""
        self._waypoints = waypoints
        if waypoints:
            self._patience = 5 + 5 * math.ceil(math.dist(here, waypoints[0]) / REACH)

    def _plan(self, scene: Scene) -> list[NDArray[np.float64]]:
        if self._rng.random() >= self.free:
            starts, ends = self._pushes(scene)
            for index in np.linalg.norm(starts - scene[0:2], axis=1).argsort().tolist():
                if way := way_round(scene, starts[index], _GAP):
                    return [*way, ends[index]]
        return [self._rng.uniform(2.0 * _BORDER, ARENA - 2.0 * _BORDER, 2)]

    def _pushes(self, scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, 2) where pushes that are drawn begin, and end; those that lead out are left out."""
        rng, radius = self._rng, float(scene[10])
        x, y, angle = scene[2:5].tolist()
        outline = corners(x, y, angle, float(scene[11]))
        edges = np.roll(outline, -1, axis=0) - outline
        lengths = np.linalg.norm(edges, axis=1)
        chosen = rng.choice(len(edges), _CHOICES, p=lengths / lengths.sum())
        share = rng.uniform(size=(_CHOICES, 1))
        turn = rng.uniform(-_SPREAD, _SPREAD, (_CHOICES, 1))
        length = rng.uniform(*_LENGTHS, (_CHOICES, 1))
        across = edges[chosen] / lengths[chosen, None]
        normal = np.stack([across[:, 1], -across[:, 0]], -1)
        point = outline[chosen] + share * edges[chosen]
        inwards = -np.cos(turn) * normal - np.sin(turn) * across
        start = point + _STANDOFF * normal
        end = (point + radius * normal + length * inwards).clip(_BORDER, ARENA - _BORDER)
        pushed = np.array(gravity_of(scene)) + _SHARE * length * inwards
        inside = _within(start, _BORDER) & _within(pushed, _BLOCK_BORDER)
        return start[inside], end[inside]


def _within(points: NDArray[np.float64], border: float) -> NDArray[np.bool_]:
    return np.all((points > border) & (points < ARENA - border), axis=-1)


def _near(here: NDArray[np.float64], there: NDArray[np.float64]) -> bool:
    return math.dist(here, there) < _ARRIVED
