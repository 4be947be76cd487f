"""Where everything lies in a chart of lines; ``charts.svg.j2`` draws it, in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

WIDTH, HEIGHT = 420, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 14, 36
_TICKS = 4
_LABEL_GAP = 15
_PALETTE = 8
_CROWD = 7
"""Lines of a chart above which points are marked only while pointed at, and its legend is long."""
_MOST_POINTS = 60
"""Points of a line that are marked; those of longer ones would hide it."""

_LARGEST, _SMALLEST = 1e30, 1e-8
"""No value beyond is drawn, and no smaller span."""

Point = tuple[float, float]
Look = tuple[int, int]
"""Colour and dash of a line."""


@dataclass(frozen=True)
class Line:
    """A named series.

    Attributes:
        name: shown beside it.
        points: (x, y) by rising x; at least one.
        color: 1 to 8, of the page's palette, or 0 for a quiet reference.
        dash: 0 for a solid line, 1 to 3 for a broken one.
        band: (low, high) at every point, or empty.
    """

    name: str
    points: Sequence[Point]
    color: int
    dash: int = 0
    band: Sequence[Point] = ()


@dataclass(frozen=True)
class Curve:
    """A line on the canvas: its path, its band, its marks with their words, its label's height."""

    line: Line
    path: str
    band: str
    marks: Sequence[tuple[float, float, str]]
    label: float


@dataclass(frozen=True)
class Drawing:
    """A chart on its canvas: edges, ticks and moments with their places, curves."""

    left: float
    right: float
    top: float
    bottom: float
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    moments: Sequence[tuple[float, str]]
    curves: Sequence[Curve]


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis.

    Attributes:
        title: says what is measured, with its unit.
        x_label: what runs to the right.
        lines: at least one.
        marks: moments that matter, x and a name of each.
        note: what the marks are, or empty.
        legend: whether the lines' names stand below it instead of at their ends.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    marks: Sequence[tuple[float, str]] = ()
    note: str = ""
    legend: bool = False

    @property
    def numbers(self) -> list[tuple[float, list[float | None]]]:
        """Every x and the value of each line there."""
        held = [dict(line.points) for line in self.lines]
        return [(x, [one.get(x) for one in held]) for x in sorted({x for h in held for x in h})]

    @property
    def crowded(self) -> bool:
        """Whether there are too many lines to mark all their points."""
        return len(self.lines) > _CROWD

    @cached_property
    def drawing(self) -> Drawing:
        """Where everything lies.

        Raises:
            ValueError: there is nothing to draw, a value is not finite, or a band does not fit.
        """
        self._check()
        limits = [limit for line in self.lines for limit in line.band]
        points = [point for line in self.lines for point in line.points]
        heights = [*(y for _, y in points), *(value for limit in limits for value in limit)]
        x_ticks = _ticks(min(0.0, *(x for x, _ in points)), max(x for x, _ in points))
        y_ticks = _ticks(min(heights), max(heights))
        left = max(_LEFT, 9 + 7 * max(len(f"{tick:g}") for tick in y_ticks))
        names = 0 if self.legend else 7 * max(len(line.name) for line in self.lines)
        right = WIDTH - max(_RIGHT + names, 4 * len(f"{x_ticks[-1]:g}"))
        bottom = HEIGHT - _BOTTOM

        def across(x: float) -> float:
            return left + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (right - left)

        def up(y: float) -> float:
            return bottom - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (bottom - _TOP)

        def path(points: Sequence[Point]) -> str:
            return " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)

        def curve(line: Line, label: float) -> Curve:
            pairs = list(zip((x for x, _ in line.points), line.band, strict=False))
            edge = [(x, low) for x, (low, _) in pairs]
            edge += [(x, high) for x, (_, high) in reversed(pairs)]
            marked = line.points if len(line.points) <= _MOST_POINTS else ()
            marks = [(across(x), up(y), f"{line.name}: {y:.3g} at {x:g}") for x, y in marked]
            return Curve(line, path(line.points), path(edge), marks, label)

        labels = _spread([up(line.points[-1][1]) for line in self.lines])
        return Drawing(
            left=left,
            right=right,
            top=_TOP,
            bottom=bottom,
            x_ticks=[(across(tick), f"{tick:g}") for tick in x_ticks],
            y_ticks=[(up(tick), f"{tick:g}") for tick in y_ticks],
            moments=[(across(moment), name) for moment, name in self.marks],
            curves=[curve(*pair) for pair in zip(self.lines, labels, strict=True)],
        )

    def _check(self) -> None:
        if not self.lines or not all(line.points for line in self.lines):
            raise ValueError(f"chart {self.title!r} has a line without points")
        if any(line.band and len(line.band) != len(line.points) for line in self.lines):
            raise ValueError(f"chart {self.title!r} has a band that does not fit its line")
        pairs = [pair for line in self.lines for pair in (*line.points, *line.band)]
        if not all(drawable(value) for pair in pairs for value in pair):
            raise ValueError(f"chart {self.title!r} has a value that cannot be drawn")


@dataclass(frozen=True)
class Charts:
    """Charts side by side, where there is room; a long legend is shown once for all of them."""

    charts: Sequence[Chart]

    @property
    def shared(self) -> bool:
        """Whether the charts have one legend."""
        return any(chart.legend and chart.crowded for chart in self.charts)

    @property
    def legend(self) -> list[tuple[str, Look]]:
        """The names of all lines that are not named at their ends."""
        return legend([chart for chart in self.charts if chart.legend])


def drawable(value: float | None) -> TypeGuard[float]:
    """Whether a value can be a point of a chart: known, finite, and not beyond all sense."""
    return value is not None and abs(value) <= _LARGEST


def legend(charts: Sequence[Chart]) -> list[tuple[str, Look]]:
    """The names of all lines of some charts, each once and with its look."""
    looks = {line.name: (line.color, line.dash) for chart in charts for line in chart.lines}
    return list(looks.items())


def look_of(index: int) -> Look:
    """The look of the line with this index among many: 32 differ."""
    return index % _PALETTE + 1, index // _PALETTE % 4


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose a range, which may be empty."""
    largest = max(abs(low), abs(high), 1.0)
    span = high - low if high - low > _SMALLEST * largest else largest
    magnitude = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(f * magnitude for f in (1, 2, 2.5, 5, 10) if f * magnitude * _TICKS >= span)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * index, 10) for index in range(first, max(last, first + 1) + 1)]


def _spread(wanted: Sequence[float]) -> list[float]:
    """Moves labels down until none overlaps another."""
    placed: dict[int, float] = {}
    floor = -math.inf
    for index in sorted(range(len(wanted)), key=lambda i: wanted[i]):
        floor = placed[index] = max(wanted[index], floor + _LABEL_GAP)
    return [placed[index] for index in range(len(wanted))]
