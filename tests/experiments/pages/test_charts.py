"""Bands lie around their lines, labels stay inside, and many lines can be told apart."""

from __future__ import annotations

import re

import pytest

from armillary.experiments.pages.charts import Chart, Charts, Line, legend, look_of
from armillary.experiments.pages.html import part


def line_chart(chart: Chart) -> str:
    return part("chart", chart, template="chart.svg.j2")


def test_a_band_encloses_its_line() -> None:
    line = Line("a", [(1, 5.0), (2, 6.0)], 1, band=[(4.0, 7.0), (5.0, 8.0)])
    svg = line_chart(Chart("t", "x", [line]))
    outline = [float(y) for y in re.findall(r",([\d.]+)", re.search("<polygon.*?/>", svg)[0])]  # type: ignore[index]
    path = [float(y) for y in re.findall(r",([\d.]+)", re.search("<polyline.*?/>", svg)[0])]  # type: ignore[index]
    assert max(outline) > max(path)
    assert min(outline) < min(path)
    assert len(outline) == 4


@pytest.mark.parametrize("band", [[(0.0, 1.0)], [(0.0, 1.0), (0.0, float("nan"))]])
def test_a_band_that_does_not_fit_is_refused(band: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="chart 't'"):
        line_chart(Chart("t", "x", [Line("a", [(1, 0.5), (2, 0.5)], 1, band=band)]))


@pytest.mark.parametrize("values", [(-20000.0, 10000.0), (0.00012, 0.00031)])
def test_labels_of_any_length_stay_inside(values: tuple[float, float]) -> None:
    points = list(zip((0, 40000), values, strict=True))
    svg = line_chart(Chart("t", "x", [Line("a", points, 1)], legend=True))
    for x, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">(.*?)<', svg):
        assert float(x) - 6.5 * len(text) >= 0
    for x, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">(\d+)<', svg):
        assert float(x) + 6.5 * len(text) / 2 <= 420


@pytest.mark.parametrize(
    "values",
    [(0.0, 5e-324), (1e-30, 3e-30), (-1e30, 1e30), (1e16, 1e16 + 2), (5.0, 5.0), (-1e30, -1e30)],
)
def test_values_of_any_size_are_drawn(values: tuple[float, float]) -> None:
    chart = Chart("t", "x", [Line("a", list(zip((0, 1), values, strict=True)), 1)])
    assert 2 <= len(chart.drawing.y_ticks) <= 8
    assert line_chart(chart)


def test_twenty_lines_differ_and_each_is_named_once() -> None:
    looks = [look_of(index) for index in range(20)]
    assert len(set(looks)) == 20
    assert all(color > 0 for color, _ in looks)
    lines = [Line(f"run {i}", [(0, 1.0)], *look) for i, look in enumerate(looks)]
    charts = [Chart(title, "x", lines, legend=True) for title in "ab"]
    assert len(legend(charts)) == 20
    assert part("charts", Charts(charts)).count("<li>") == 20, "one legend for all charts"
    assert "crowded" in line_chart(charts[0])
    assert "run 3<" not in line_chart(charts[0]).replace("</title>", ""), "no label at its end"
