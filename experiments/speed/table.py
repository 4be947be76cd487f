"""The tables of ``armillary bench``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from armillary.experiments.speed.rows import Growth, Row


def tables(rows: Sequence[Row], growth: Sequence[Growth]) -> Iterator[Table]:
    """A table for each group, and one of exponents."""
    for group in dict.fromkeys(row.group for row in rows):
        yield _table(group, [row for row in rows if row.group == group])
    if growth:
        table = Table("time of", "grows with", "values", "to the power", title="growth")
        for one in growth:
            table.add_row(one.name, one.by, ", ".join(map(str, one.values)), f"{one.exponent:.2f}")
        yield table


def _table(group: str, rows: Sequence[Row]) -> Table:
    table = Table(title=group)
    table.add_column("what", overflow="fold")
    for heading in ("a second", "ms", "spread", "x plain", "share", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        settings = " ".join(f"{name}={value}" for name, value in row.settings.items())
        table.add_row(f"{row.name}: {settings}", *_numbers(row), _told(row))
    return table


def _numbers(row: Row) -> list[str]:
    found = row.measured
    if found is None:
        return ["-"] * 6
    ratio = "-" if found.ratio is None else f"{found.ratio:.2f}"
    return [
        f"{found.rate:,.0f}" if found.rate >= 100 else f"{found.rate:.3g}",
        f"{1e3 * found.seconds:.3g}",
        f"{found.spread:.0%}",
        ratio,
        "-" if found.share is None else f"{found.share:.1%}",
        "-" if found.megabytes is None else f"{found.megabytes:,.1f}",
    ]


def _told(row: Row) -> str:
    met = ("yes", "no")
    goals = [
        f"{target}: {met[not reached]}"
        for target, reached in zip(row.targets, row.reached, strict=False)
    ]
    return "; ".join(filter(None, [row.note, *goals]))
