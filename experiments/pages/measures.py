"""Tables of measured values with their intervals, and which one is best beyond doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from armillary.experiments.pages.charts import key_of

Look = tuple[int, int]
"""Colour and dash of a line, as ``armillary.experiments.pages.charts.look_of`` gives them."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; ``None`` for an interval that is not known."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Measure:
    """What a column holds.

    Attributes:
        name: with its unit.
        higher: whether higher is better.
        digits: after the point.
        arrow: whether one direction is better, which is then shown.
    """

    name: str
    higher: bool = True
    digits: int = 3
    arrow: bool = True

    def text(self, value: float) -> str:
        """The value as people read it."""
        return f"{value:.{self.digits}f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Measured:
    """A row.

    Attributes:
        name: of what was measured.
        values: one for each column; ``None`` where there is none.
        look: of its lines in the charts, if it has any.
        note: one quiet line, or empty.
    """

    name: str
    values: Sequence[Estimate | None]
    look: Look | None = None
    note: str = ""


@dataclass(frozen=True)
class Measures:
    """A table of estimates, each drawn on the scale of its column.

    Attributes:
        title: what the table compares.
        heading: of the rows.
        columns: at least one.
        rows: at least one.
        mark: whether the best of a column is marked, where its interval leaves no doubt.
    """

    title: str
    heading: str
    columns: Sequence[Measure]
    rows: Sequence[Measured]
    mark: bool = False

    def html(self) -> str:
        """Its HTML; wide tables scroll."""
        heads = "".join(f'<th scope="col">{_head(column)}</th>' for column in self.columns)
        columns = [self._cells(index) for index in range(len(self.columns))]
        drawn = any(value and value.interval for row in self.rows for value in row.values)
        kind = "measures" if drawn else "measures plain"
        rows = "".join(
            f'<tr><th scope="row">{_named(row)}</th>{"".join(cells)}</tr>'
            for row, cells in zip(self.rows, zip(*columns, strict=True), strict=True)
        )
        return (
            f"<h3>{escape(self.title)}</h3>"
            f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(self.title)}">'
            f'<table class="{kind}" aria-label="{escape(self.title)}"><thead><tr>'
            f'<th scope="col">{escape(self.heading)}</th>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )

    def _cells(self, index: int) -> list[str]:
        column = self.columns[index]
        estimates = [row.values[index] for row in self.rows]
        known = [estimate for estimate in estimates if estimate is not None]
        edges = [edge for e in known for edge in (e.value, *(e.interval or ()))]
        low, high = min(edges, default=0.0), max(edges, default=1.0)
        best = separated_best(estimates, column.higher) if self.mark and column.arrow else None
        return [
            _cell(column, estimate, low, high, row == best)
            for row, estimate in enumerate(estimates)
        ]


def separated_best(estimates: Sequence[Estimate | None], higher: bool) -> int | None:
    """The index of the one whose interval lies beyond the intervals of all others.

    ``None`` where intervals overlap, one is not known, or there is nothing to compare with.

    Args:
        estimates: what competes; those that are ``None`` do not.
        higher: whether higher is better.
    """
    sign = 1.0 if higher else -1.0
    known = [(index, estimate) for index, estimate in enumerate(estimates) if estimate is not None]
    if len(known) < 2:
        return None
    ranges = []
    for index, estimate in known:
        if estimate.interval is None:
            return None
        low, high = sorted(sign * edge for edge in estimate.interval)
        ranges.append((low, high, index))
    low, _, best = max(ranges)
    return best if all(low > high for _, high, index in ranges if index != best) else None


def _head(column: Measure) -> str:
    if not column.arrow:
        return escape(column.name)
    arrow, words = ("↑", "higher is better") if column.higher else ("↓", "lower is better")
    mark = f'<span title="{words}" role="img" aria-label="{words}">{arrow}</span>'
    return f"{escape(column.name)} {mark}"


def _named(row: Measured) -> str:
    key = key_of(*row.look) if row.look else ""
    note = f"<small>{escape(row.note)}</small>" if row.note else ""
    return f"{key}{escape(row.name)}{note}"


def _cell(column: Measure, estimate: Estimate | None, low: float, high: float, best: bool) -> str:
    if estimate is None:
        return '<td><span class="none">not known</span></td>'
    value = f"<strong>{column.text(estimate.value)}</strong>"
    mark = ' <span class="best">best</span>' if best else ""
    if estimate.interval is None:
        return f"<td>{value}{mark}</td>"
    first, last = estimate.interval
    told = f"{column.text(first)} to {column.text(last)}"
    places = [(edge - low) / ((high - low) or 1.0) for edge in (first, last, estimate.value)]
    left, right, middle = (f"{4 + 92 * place:.1f}%" for place in places)
    return (
        f"<td>{value}{mark}<small>{told}</small>"
        '<svg class="scale" aria-hidden="true"><line class="grid" x1="0" x2="100%" y1="50%" '
        f'y2="50%"/><line class="whisker" x1="{left}" x2="{right}" y1="50%" y2="50%"/>'
        f'<circle class="dot" cx="{middle}" cy="50%" r="3.5"/></svg></td>'
    )
