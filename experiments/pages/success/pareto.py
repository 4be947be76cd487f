"""Success against evaluations: where every row lies, and which rows nothing beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

WIDTH, HEIGHT = 900, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 16, 52
_COLORS, _SHAPES = 8, 8
_SPREAD = 7
"""Pixels between points that would hide each other."""


@dataclass(frozen=True)
class Point:
    """A row that plans.

    Attributes:
        name: of the row.
        model: decides the colour.
        planner: decides the shape.
        evaluations: of a plan, above 0.
        rate: of success, in [0, 1].
        interval: of the rate.
    """

    name: str
    model: str
    planner: str
    evaluations: float
    rate: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A point on the canvas: its place, the ends of its whisker, colour and shape."""

    x: float
    y: float
    low: float
    high: float
    color: int
    shape: int
    told: str
    best: bool


@dataclass(frozen=True)
class Pareto:
    """Success against evaluations of the rows of one task.

    Attributes:
        points: at least one.
        floors: names and rates of what does not plan.
    """

    points: Sequence[Point]
    floors: Sequence[tuple[str, float]] = ()

    @property
    def models(self) -> list[tuple[str, int]]:
        """Models and their colours, 1 to 8."""
        names = dict.fromkeys(point.model for point in self.points)
        return [(name, index % _COLORS + 1) for index, name in enumerate(names)]

    @property
    def planners(self) -> list[tuple[str, int]]:
        """Planners and their shapes, 0 to 7."""
        names = dict.fromkeys(point.planner for point in self.points)
        return [(name, index % _SHAPES) for index, name in enumerate(names)]

    @cached_property
    def front(self) -> list[Point]:
        """The points that none reaches with as few evaluations or fewer, by evaluations."""
        best: list[Point] = []
        for point in sorted(self.points, key=lambda one: (one.evaluations, -one.rate)):
            if not best or point.rate > best[-1].rate:
                best.append(point)
        return best

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Places and names of the powers of ten."""
        low, high = self._powers
        return [(self._across(10.0**power), f"{10**power:,}") for power in range(low, high + 1)]

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Places and names of rates."""
        return [(_up(share / 100), f"{share} %") for share in (0, 25, 50, 75, 100)]

    @property
    def floor_lines(self) -> list[tuple[float, str]]:
        """Heights and names of what does not plan."""
        return [(_up(rate), f"{name} {100 * rate:.0f} %") for name, rate in self.floors]

    @property
    def path(self) -> str:
        """The steps between the best points, as points of a polyline."""
        steps: list[str] = []
        for point in self.front:
            x, y = self._across(point.evaluations), _up(point.rate)
            steps += [f"{x:.1f},{steps[-1].split(',')[1]}"] if steps else []
            steps.append(f"{x:.1f},{y:.1f}")
        return " ".join([*steps, f"{WIDTH - _RIGHT},{steps[-1].split(',')[1]}"])

    @property
    def marks(self) -> list[Mark]:
        """Every point; those of the same place side by side."""
        colors, shapes = dict(self.models), dict(self.planners)
        taken: list[tuple[float, float]] = []
        marks = []
        for point in self.points:
            x, y = self._across(point.evaluations), _up(point.rate)
            while any(math.dist((x, y), other) < _SPREAD for other in taken):
                x += _SPREAD
            taken.append((x, y))
            low, high = point.interval
            told = f"{point.name}: {100 * point.rate:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
            told += f" with {point.evaluations:,.0f} evaluations a plan"
            place = (x, y, _up(low), _up(high))
            look = (colors[point.model], shapes[point.planner])
            marks.append(Mark(*place, *look, told, point in self.front))
        return marks

    @property
    def _powers(self) -> tuple[int, int]:
        logs = [math.log10(point.evaluations) for point in self.points]
        low = math.floor(min(logs))
        return low, max(math.ceil(max(logs)), low + 1)

    def _across(self, evaluations: float) -> float:
        low, high = self._powers
        return _LEFT + (math.log10(evaluations) - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)


def _up(rate: float) -> float:
    return HEIGHT - _BOTTOM - rate * (HEIGHT - _BOTTOM - _TOP)
