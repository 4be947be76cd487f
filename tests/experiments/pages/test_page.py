"""A page holds everything it shows, escapes what it is told, and a browser draws it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armillary.experiments.films.drawing import write_gif, write_png
from armillary.experiments.pages.charts import Chart, Line
from armillary.experiments.pages.demo import Page, render_page
from armillary.experiments.pages.films import Film
from armillary.experiments.pages.html import part
from armillary.experiments.pages.planning import Result
from tests.experiments.pages.reader import Reader

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
HEADLESS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHART = Chart("PSNR (dB)", "steps", [Line("imagined", [(0, 12.0), (10, 24.0)], 1)])


def line_chart(chart: Chart) -> str:
    return part("chart", chart, template="chart.svg.j2")


@pytest.fixture
def page(tmp_path: Path) -> Page:
    red = np.full((40, 40, 3), (255, 0, 0), np.uint8)
    write_gif(tmp_path / "film.gif", [red, red // 2], fps=2)
    write_png(tmp_path / "film.png", red)
    return Page(
        title="A title",
        lead="A paragraph.",
        highlights=[("9 of 20", "solved")],
        results_note="20 episodes.",
        results=[
            Result("random", "the floor", 0, 20, (0.0, 0.161), None, None),
            Result("oracle", "", 20, 20, (0.839, 1.0), 7.0, 1.9),
        ],
        charts=[CHART],
        films=[Film("Rollout", "how to read it", tmp_path / "film.gif", tmp_path / "film.png")],
        commands=["armillary demo"],
        tables=[("Made with", [("torch", "2.9")])],
        config="seed: 0\n",
    )


def test_everything_said_is_shown(page: Page) -> None:
    text = " ".join(Reader(render_page(page)).text)
    for said in ("A title", "A paragraph.", "9 of 20", "random", "oracle", "0 of 20", "20 of 20"):
        assert said in text
    for said in ("0 to 16 %", "84 to 100 %", "PSNR (dB)", "how to read it", "torch", "seed: 0"):
        assert said in text


def test_no_script_and_nothing_from_elsewhere(page: Page) -> None:
    html = render_page(page)
    reader = Reader(html)
    sources = [value for _, name, value in reader.attributes if name in ("src", "srcset")]
    assert len(sources) == 2
    assert all(source.startswith("data:image/") for source in sources)
    assert not [name for _, name, _ in reader.attributes if name in ("href", "onclick", "onload")]
    assert not {"script", "link", "iframe"} & {tag for tag, _, _ in reader.attributes}
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html


def test_text_cannot_become_markup(page: Page) -> None:
    evil = "<script>alert(1)</script>&\"'"
    result = replace(page.results[0], name=evil, explanation=evil)
    chart = Chart(evil, evil, [Line(evil, [(0, 1.0)], 1)], [(0.0, evil)], evil)
    told = replace(
        page,
        title=evil,
        lead=evil,
        highlights=[(evil, evil)],
        results_note=evil,
        results=[result],
        charts=[chart],
        films=[replace(page.films[0], title=evil, caption=evil)],
        commands=[evil],
        tables=[(evil, [(evil, evil)])],
        config=evil,
    )
    html = render_page(told)
    assert "<script" not in html
    shown = "".join(Reader(html).text)
    assert shown.count(evil) >= 16


def test_a_page_without_results_has_no_empty_sections(page: Page) -> None:
    html = render_page(replace(page, results=[], charts=[], films=[]))
    assert re.findall("<h2>(.*?)</h2>", html) == ["Make it again", "What was run"]


def test_interval_bars_lie_where_the_numbers_are() -> None:
    result = Result("a", "", 9, 20, (0.26, 0.66), None, None)
    svg = part("interval_bar", result, template="chart.svg.j2")
    assert 'x1="26.00%" x2="66.00%"' in svg
    assert 'cx="45.00%"' in svg
    for wrong in ((0.5, 0.6), (0.4, 1.2), (-0.1, 0.6), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="low <= rate <= high"):
            replace(result, interval=wrong)


def test_line_charts_put_high_values_up_and_late_ones_right() -> None:
    points = [(0, 1.0), (5, 3.0), (10, 2.0)]
    svg = line_chart(Chart("t", "x", [Line("a", points, 1)]))
    path = re.search('points="(.*?)"', svg)
    assert path
    xy = np.array([[float(v) for v in pair.split(",")] for pair in path[1].split()])
    assert (np.diff(xy[:, 0]) > 0).all()
    assert xy[:, 1].argsort().tolist() == [1, 2, 0], "y grows downwards"
    assert np.allclose((xy[1] + xy[2]) / 2 - xy[1], (xy[2] - xy[1]) / 2)
    ratio = (xy[0, 1] - xy[2, 1]) / (xy[0, 1] - xy[1, 1])
    assert ratio == pytest.approx(0.5, abs=0.01), "to scale"


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [1e-5, 3e-5], [-120.0, 4e3], [24.1, 24.2]])
def test_any_range_of_values_fits_into_the_chart(values: list[float]) -> None:
    svg = line_chart(Chart("t", "x", [Line("a", list(enumerate(values)), 1)]))
    _, _, width, height = map(float, re.search('viewBox="(.*?)"', svg)[1].split())  # type: ignore[index]
    for x, y in re.findall('<circle[^>]*cx="(.*?)" cy="(.*?)"', svg):
        assert 0 < float(x) < width
        assert 0 < float(y) < height
    assert len(re.findall('class="grid"', svg)) <= 8


def test_labels_of_lines_that_end_together_do_not_overlap() -> None:
    lines = [Line(name, [(0, 0.0), (1, 1.0 + i / 1000)], 1) for i, name in enumerate("abc")]
    svg = line_chart(Chart("t", "x", lines))
    heights = sorted(float(y) for y in re.findall('class="name" x="[^"]*" y="(.*?)"', svg))
    assert min(np.diff(heights)) >= 12


@pytest.mark.parametrize("points", [[], [(0, float("nan"))], [(0, float("inf"))]])
def test_a_chart_without_valid_numbers_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="chart 't'"):
        line_chart(Chart("t", "x", [Line("a", points, 1)]))


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_draws_the_page(page: Page, tmp_path: Path, width: int) -> None:
    html = tmp_path / "index.html"
    html.write_text(render_page(page), encoding="utf-8")
    shot = tmp_path / "shot.png"
    command = [
        str(CHROMIUM),
        *HEADLESS,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},2400",
        f"--screenshot={shot}",
        html.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    reddish = (pixels[..., 0] > 100) & (pixels[..., 1:].max(-1) < 20)
    assert reddish.sum() >= 1500, "the film is seen"
    dot = np.abs(pixels - (0x0B, 0x66, 0xA8)).max(-1) < 8
    assert dot.sum() > 50, "the charts and intervals are seen"
    edge = pixels[:, -3:]
    assert np.abs(edge - edge[0, 0]).max() == 0, "nothing runs off the right edge"
