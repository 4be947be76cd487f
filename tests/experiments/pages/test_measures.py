"""The best is marked where intervals leave no doubt, and nowhere else."""

from __future__ import annotations

import pytest

from armillary.experiments.evaluation.metrics import Metric
from armillary.experiments.pages.html import part
from armillary.experiments.pages.measures import (
    Estimate,
    Measured,
    Measures,
    separated_best,
)

CLEAR = Estimate(30.0, (29.0, 31.0))
LOWER = Estimate(27.0, (26.0, 28.0))
OVERLAPPING = Estimate(28.5, (27.5, 29.5))
PSNR = Metric("PSNR", "", 1, True)
TOUCHING = Estimate(28.0, (27.0, 29.0))


@pytest.mark.parametrize(
    ("estimates", "higher", "best"),
    [
        ([LOWER, CLEAR], True, 1),
        ([LOWER, CLEAR], False, 0),
        ([CLEAR, OVERLAPPING], True, None),
        ([CLEAR, TOUCHING], True, None),
        ([LOWER, CLEAR, OVERLAPPING], True, None),
        ([CLEAR, None, LOWER], True, 0),
        ([CLEAR, None], True, None),
        ([CLEAR], True, None),
        ([CLEAR, Estimate(1.0)], True, None),
        ([CLEAR, CLEAR], True, None),
        ([Estimate(-5.0, (-6.0, -4.0)), Estimate(-1.0, (-2.0, -0.5))], False, 0),
    ],
)
def test_only_a_separated_interval_wins(
    estimates: list[Estimate | None], higher: bool, best: int | None
) -> None:
    assert separated_best(estimates, higher) == best


def table(mark: bool, column: Metric) -> str:
    rows = [Measured("<a>", [LOWER]), Measured("b", [CLEAR]), Measured("c", [None])]
    return part("measures", Measures("t", "Run", [column], rows, mark))


def test_a_table_marks_one_row_and_shows_every_interval() -> None:
    html = table(True, PSNR)
    assert html.count('class="best"') == 1
    assert html.index("30.0") < html.index('class="best"') < html.index("29.0 to 31.0")
    assert "26.0 to 28.0" in html
    assert "not known" in html
    assert "&lt;a&gt;" in html
    assert html.count('scope="row"') == 3


@pytest.mark.parametrize(("mark", "column"), [(False, PSNR), (True, Metric("spread"))])
def test_nothing_is_marked_where_nothing_competes(mark: bool, column: Metric) -> None:
    assert 'class="best"' not in table(mark, column)


def test_intervals_are_drawn_on_the_scale_of_their_column() -> None:
    html = table(False, PSNR)
    assert 'x1="4.0%" x2="40.8%"' in html, "26 to 28 of 26 to 31"
    assert 'x1="59.2%" x2="96.0%"' in html, "29 to 31 of 26 to 31"
