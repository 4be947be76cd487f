"""Small charts as inline SVG, coloured by a page's CSS variables, so in its theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 420, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 14, 36
_TICKS = 4
_LABEL_GAP = 15


@dataclass(frozen=True)
class Line:
    """A named series.

    Attributes:
        name: shown beside it.
        points: (x, y) by rising x; at least one.
        color: 1 or 2, of the page's palette, or 0 for a quiet reference.
    """

    name: str
    points: Sequence[tuple[float, float]]
    color: int


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis.

    Attributes:
        title: says what is measured, with its unit.
        x_label: what runs to the right.
        lines: at least one.
        marks: moments that matter, x and a name of each.
        note: what the marks are, or empty.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    marks: Sequence[tuple[float, str]] = ()
    note: str = ""


def interval_bar(rate: float, low: float, high: float) -> str:
    """A dot with its interval on an axis from 0 to 1, as wide as its container.

    Raises:
        ValueError: not 0 <= low <= rate <= high <= 1.
    """
    if not 0.0 <= low <= rate <= high <= 1.0:
        raise ValueError(f"need 0 <= low <= rate <= high <= 1, got {low}, {rate}, {high}")
    grid = "".join(
        f'<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>' for x in (0, 25, 50, 75, 100)
    )
    label = f"{rate:.0%}, 95 % interval {low:.0%} to {high:.0%}"
    return (
        f'<svg class="interval" role="img" aria-label="{label}">{grid}'
        f'<line class="whisker" x1="{100 * low:.2f}%" x2="{100 * high:.2f}%" y1="50%" y2="50%"/>'
        f'<circle class="dot" cx="{100 * rate:.2f}%" cy="50%" r="5"/></svg>'
    )


def interval_axis() -> str:
    """The labels that belong below a column of ``interval_bar``."""
    places = ((0, "start"), (50, "middle"), (100, "end"))
    labels = "".join(
        f'<text x="{x}%" y="12" text-anchor="{anchor}">{x} %</text>' for x, anchor in places
    )
    return f'<svg class="interval axis" aria-hidden="true">{labels}</svg>'


def line_chart(chart: Chart) -> str:
    """An SVG whose points tell their values when pointed at.

    Raises:
        ValueError: there is nothing to draw, or a value is not finite.
    """
    points = [point for line in chart.lines for point in line.points]
    if not points or not all(line.points for line in chart.lines):
        raise ValueError(f"chart {chart.title!r} has a line without points")
    if not all(math.isfinite(value) for point in points for value in point):
        raise ValueError(f"chart {chart.title!r} has a value that is not finite")
    x_ticks = _ticks(0.0, max(x for x, _ in points))
    y_ticks = _ticks(min(y for _, y in points), max(y for _, y in points))
    right = _WIDTH - _RIGHT - 7 * max(len(line.name) for line in chart.lines)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        bottom = _HEIGHT - _BOTTOM
        return _LEFT + across * (right - _LEFT), bottom - up * (bottom - _TOP)

    parts = []
    for tick in y_ticks:
        _, y = place(x_ticks[0], tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        x, _ = place(tick, y_ticks[0])
        y = _HEIGHT - _BOTTOM + 16
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{tick:g}</text>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">'
        f"{escape(chart.x_label)}</text>"
    )
    for moment, name in chart.marks:
        x, _ = place(moment, y_ticks[0])
        bottom = _HEIGHT - _BOTTOM
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}">'
            f"<title>{escape(name)}</title></line>"
        )
    labels = _spread([place(*line.points[-1])[1] for line in chart.lines])
    for line, label_y in zip(chart.lines, labels, strict=True):
        places = [place(*point) for point in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line color{line.color}" points="{path}"/>')
        for (x, y), (step, value) in zip(places, line.points, strict=True):
            told = escape(f"{line.name}: {value:.3g} at {step:g}")
            parts.append(
                f'<circle class="point color{line.color}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
                f"<title>{told}</title></circle>"
            )
        name = escape(line.name)
        parts.append(f'<text class="name" x="{right + 8}" y="{label_y + 4:.1f}">{name}</text>')
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}">{"".join(parts)}</svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose a range, which may be empty."""
    span = high - low or max(abs(high), 1.0)
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
