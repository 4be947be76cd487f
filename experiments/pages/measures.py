"""Tables of measured values with their intervals, and which one is best beyond doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from armillary.experiments.evaluation.metrics import Metric
from armillary.experiments.evaluation.results import Statistics
from armillary.experiments.pages.charts import Look


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; ``None`` for an interval that is not known."""

    value: float
    interval: tuple[float, float] | None = None


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
class Cell:
    """A value as it is read, its interval, and where they lie on their column's scale in %."""

    text: str
    interval: str
    places: tuple[float, float, float] | None
    best: bool


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
    columns: Sequence[Metric]
    rows: Sequence[Measured]
    mark: bool = False

    @property
    def drawn(self) -> bool:
        """Whether any interval is."""
        return any(value and value.interval for row in self.rows for value in row.values)

    @property
    def cells(self) -> list[tuple[Measured, Sequence[Cell | None]]]:
        """Every row with its cells."""
        columns = [self._column(index) for index in range(len(self.columns))]
        return list(zip(self.rows, zip(*columns, strict=True), strict=True))

    def _column(self, index: int) -> list[Cell | None]:
        column = self.columns[index]
        estimates = [row.values[index] for row in self.rows]
        known = [estimate for estimate in estimates if estimate is not None]
        edges = [edge for e in known for edge in (e.value, *(e.interval or ()))]
        low, high = min(edges, default=0.0), max(edges, default=1.0)
        best = separated_best(estimates, column.higher_is_better) if self.mark else None
        return [_cell(column, e, low, high, row == best) for row, e in enumerate(estimates)]


def estimate_of(statistics: Statistics | None) -> Estimate | None:
    """The mean of a measure with its interval; None where it is not known."""
    if statistics is None or statistics.mean is None:
        return None
    low, high = statistics.ci95 or (None, None)
    return Estimate(statistics.mean, None if low is None or high is None else (low, high))


def separated_best(
    estimates: Sequence[Estimate | None], higher_is_better: bool | None
) -> int | None:
    """The index of the one whose interval lies beyond the intervals of all others.

    ``None`` where intervals overlap, one is not known, or there is nothing to compare with.

    Args:
        estimates: what competes; those that are ``None`` do not.
        higher_is_better: None where no direction is.
    """
    sign = 1.0 if higher_is_better else -1.0
    known = [(index, estimate) for index, estimate in enumerate(estimates) if estimate is not None]
    if len(known) < 2 or higher_is_better is None:
        return None
    ranges = []
    for index, estimate in known:
        if estimate.interval is None:
            return None
        low, high = sorted(sign * edge for edge in estimate.interval)
        ranges.append((low, high, index))
    low, _, best = max(ranges)
    return best if all(low > high for _, high, index in ranges if index != best) else None


def _cell(
    column: Metric, estimate: Estimate | None, low: float, high: float, best: bool
) -> Cell | None:
    if estimate is None:
        return None
    if estimate.interval is None:
        return Cell(column.text(estimate.value), "", None, best)
    first, last = estimate.interval
    left, right, middle = (
        4 + 92 * (edge - low) / ((high - low) or 1.0) for edge in (first, last, estimate.value)
    )
    told = f"{column.text(first)} to {column.text(last)}"
    return Cell(column.text(estimate.value), told, (left, right, middle), best)
