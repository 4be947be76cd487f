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
_PALETTE = 8
_CROWD = 7
"""Lines of a chart above which points are marked only while pointed at."""
_MOST_POINTS = 60
"""Points of a line that are marked; those of longer ones would hide it."""


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
    points: Sequence[tuple[float, float]]
    color: int
    dash: int = 0
    band: Sequence[tuple[float, float]] = ()


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


def look_of(index: int) -> tuple[int, int]:
    """The colour and the dash of the line with this index among many: 32 differ."""
    return index % _PALETTE + 1, index // _PALETTE % 4


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


def key_of(color: int, dash: int = 0) -> str:
    """A short piece of a line, to stand beside its name."""
    return (
        '<svg class="key" viewBox="0 0 24 8" aria-hidden="true">'
        f'<line class="line color{color} dash{dash}" x1="0" x2="24" y1="4" y2="4"/></svg>'
    )


def legend(charts: Sequence[Chart]) -> str:
    """The names of all lines of some charts, each once and beside a piece of its line."""
    looks = {line.name: (line.color, line.dash) for chart in charts for line in chart.lines}
    names = "".join(f"<li>{key_of(*look)} {escape(name)}</li>" for name, look in looks.items())
    return f'<ul class="legend">{names}</ul>'


def line_chart(chart: Chart) -> str:
    """An SVG whose points tell their values when pointed at.

    Raises:
        ValueError: there is nothing to draw, or a value is not finite.
    """
    points = [point for line in chart.lines for point in line.points]
    if not points or not all(line.points for line in chart.lines):
        raise ValueError(f"chart {chart.title!r} has a line without points")
    if any(line.band and len(line.band) != len(line.points) for line in chart.lines):
        raise ValueError(f"chart {chart.title!r} has a band that does not fit its line")
    limits = [limit for line in chart.lines for limit in line.band]
    if not all(math.isfinite(value) for pair in (*points, *limits) for value in pair):
        raise ValueError(f"chart {chart.title!r} has a value that is not finite")
    heights = [*(y for _, y in points), *(value for limit in limits for value in limit)]
    x_ticks = _ticks(min(0.0, *(x for x, _ in points)), max(x for x, _ in points))
    y_ticks = _ticks(min(heights), max(heights))
    left = max(_LEFT, 9 + 7 * max(len(f"{tick:g}") for tick in y_ticks))
    names = 0 if chart.legend else 7 * max(len(line.name) for line in chart.lines)
    right = _WIDTH - max(_RIGHT + names, 4 * len(f"{x_ticks[-1]:g}"))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        bottom = _HEIGHT - _BOTTOM
        return left + across * (right - left), bottom - up * (bottom - _TOP)

    parts = []
    for tick in y_ticks:
        _, y = place(x_ticks[0], tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        x, _ = place(tick, y_ticks[0])
        y = _HEIGHT - _BOTTOM + 16
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{tick:g}</text>')
    middle = (left + right) / 2
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
    for line in chart.lines:
        xs = [x for x, _ in line.points]
        edge = [(x, low) for x, (low, _) in zip(xs, line.band, strict=False)]
        edge += [(x, high) for x, (_, high) in zip(xs, line.band, strict=False)][::-1]
        outline = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in edge)
        if outline:
            parts.append(f'<polygon class="band color{line.color}" points="{outline}"/>')
    for line, label_y in zip(chart.lines, labels, strict=True):
        name, color = escape(line.name), f"color{line.color}"
        places = [place(*point) for point in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = f" dash{line.dash}" if line.dash else ""
        parts.append(f'<g><polyline class="line {color}{dash}" points="{path}"/>')
        marked = zip(places, line.points, strict=True) if len(places) <= _MOST_POINTS else ()
        for (x, y), (step, value) in marked:
            told = escape(f"{line.name}: {value:.3g} at {step:g}")
            parts.append(
                f'<circle class="point {color}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
                f"<title>{told}</title></circle>"
            )
        parts.append("</g>")
        if not chart.legend:
            parts.append(f'<text class="name" x="{right + 8}" y="{label_y + 4:.1f}">{name}</text>')
    crowded = " crowded" if len(chart.lines) > _CROWD else ""
    return (
        f'<svg class="chart{crowded}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
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
