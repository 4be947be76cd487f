"""The tables of ``armillary bench``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from armillary.experiments.evaluation.speed import Check, Row, Speed
from armillary.experiments.speed.kinds.scaling import GROUP


def tables(found: Speed) -> Iterator[Table]:
    """A table for each group; of what grows, the exponents alone; what was checked."""
    rows = [row for row in found.rows if row.group != GROUP]
    for group in dict.fromkeys(row.group for row in rows):
        yield _table(group, [row for row in rows if row.group == group])
    if found.growth:
        table = Table("seconds of", "by", "values", "grow as its power", title="scaling")
        for one in found.growth:
            table.add_row(one.name, one.by, ", ".join(map(str, one.values)), f"{one.exponent:.2f}")
        yield table
    if found.checks:
        yield _checks(found.checks)


def _checks(checks: Sequence[Check]) -> Table:
    table = Table("check", "passed", "", title="checks")
    for check in checks:
        table.add_row(check.name, _YES[check.passed], check.told)
    return table


def _table(group: str, rows: Sequence[Row]) -> Table:
    """What all rows of a name share is not said; it is in the results."""
    table = Table(title=group)
    table.add_column("what", min_width=24)
    for heading in ("a second", "ms", "spread", "x plain", "share", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        alike = [other.settings for other in rows if other.settings.keys() == row.settings.keys()]
        own = [
            f"{name} {value}"
            for name, value in row.settings.items()
            if any(settings[name] != value for settings in alike)
        ]
        what = f"{row.name}: {', '.join(own)}" if own else row.name
        table.add_row("\n".join([what, *row.remarks]), *_numbers(row))
    return table


def _numbers(row: Row) -> list[str]:
    found = row.measured
    if found is None:
        return ["-"] * 6
    return [
        f"{found.rate:,.0f}" if found.rate >= 100 else f"{found.rate:.3g}",
        f"{1e3 * found.seconds:,.3g}",
        f"{found.spread:.0%}",
        "-" if found.ratio is None else f"{found.ratio:.2f}",
        "-" if found.share is None else f"{found.share:.1%}",
        "-" if found.megabytes is None else f"{found.megabytes:,.1f}",
    ]


_YES = ("no", "yes")
