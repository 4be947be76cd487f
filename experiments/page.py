"""One HTML page that holds all it shows: results, charts and films; no script, no link out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from experiments.charts import Chart, interval_axis, interval_bar, line_chart
from experiments.page_style import STYLE


@dataclass(frozen=True)
class Result:
    """How often something reached the goal.

    Attributes:
        name: what planned.
        explanation: one line, or empty.
        successes: episodes that reached the goal.
        episodes: all episodes.
        interval: 95 % Wilson interval of the success rate, in [0, 1].
        steps: median steps to success; ``None`` without a success.
        seconds: median seconds of a plan; ``None`` where nothing is planned.
    """

    name: str
    explanation: str
    successes: int
    episodes: int
    interval: tuple[float, float]
    steps: float | None
    seconds: float | None


@dataclass(frozen=True)
class Film:
    """A GIF, and the picture that stands for it where motion is unwanted.

    Attributes:
        title: what it is.
        caption: how to read it.
        gif: the file.
        still: a PNG file.
    """

    title: str
    caption: str
    gif: Path
    still: Path


@dataclass(frozen=True)
class Table:
    """Names and values."""

    title: str
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """What a page says; every text is escaped.

    Attributes:
        title: the headline.
        lead: one paragraph.
        highlights: a few figures, each with what it is.
        results_note: what an episode was and how it was counted.
        results: rows of the table of success rates.
        charts: how training went.
        films: what the model does.
        commands: what makes all this again.
        tables: what was run, and with what.
        config: the resolved configuration, as YAML.
    """

    title: str
    lead: str
    highlights: Sequence[tuple[str, str]]
    results_note: str
    results: Sequence[Result]
    charts: Sequence[Chart]
    films: Sequence[Film]
    commands: Sequence[str]
    tables: Sequence[Table]
    config: str


def render_page(page: Page) -> str:
    """The page as HTML.

    Raises:
        OSError: a film's file is not there.
        ValueError: a result or a chart holds no valid numbers.
    """
    highlights = "".join(
        f"<li><strong>{escape(value)}</strong><span>{escape(name)}</span></li>"
        for value, name in page.highlights
    )
    charts = "".join(
        f"<figure><figcaption><h3>{escape(chart.title)}</h3><p>{escape(chart.note)}</p></figcaption>"
        f"{line_chart(chart)}</figure>"
        for chart in page.charts
    )
    commands = escape("\n".join(page.commands))
    sections = [
        f"<header><h1>{escape(page.title)}</h1><p>{escape(page.lead)}</p>"
        f'<ul class="highlights">{highlights}</ul></header>',
        _section("Success", _results(page)) if page.results else "",
        _section("Imagination and plans", "".join(map(_film, page.films))) if page.films else "",
        _section("Training", f'<div class="charts">{charts}</div>') if page.charts else "",
        _section("Make it again", f"<pre><code>{commands}</code></pre>"),
        _section("What was run", "".join(map(_table, page.tables)) + _details(page.config)),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(page.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{"".join(sections)}
</main>
</body>
</html>
"""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def _results(page: Page) -> str:
    rows = "".join(_result(result) for result in page.results)
    return (
        f"<p>{escape(page.results_note)}</p>"
        '<table class="results"><thead><tr><th>Planned with</th><th>Success</th>'
        "<th>95 % interval</th><th></th><th>Median steps</th><th>Seconds a plan</th></tr></thead>"
        f'<tbody>{rows}</tbody><tfoot><tr><td colspan="3"></td>'
        f'<td class="bar">{interval_axis()}</td><td colspan="2"></td></tr></tfoot></table>'
    )


def _result(result: Result) -> str:
    low, high = result.interval
    rate = result.successes / result.episodes
    about = f"<small>{escape(result.explanation)}</small>" if result.explanation else ""
    steps = "" if result.steps is None else f"{result.steps:g}"
    seconds = "" if result.seconds is None else f"{result.seconds:.2f}"
    return (
        f'<tr><th scope="row">{escape(result.name)}{about}</th>'
        f'<td class="rate"><strong>{100 * rate:.0f} %</strong> '
        f"<small>{result.successes} of {result.episodes}</small></td>"
        f'<td class="range">{100 * low:.0f} to {100 * high:.0f} %</td>'
        f'<td class="bar">{interval_bar(rate, low, high)}</td>'
        f'<td class="number" data-name="median steps">{steps}</td>'
        f'<td class="number" data-name="s a plan">{seconds}</td></tr>'
    )


def _film(film: Film) -> str:
    still, gif = _embedded(film.still, "image/png"), _embedded(film.gif, "image/gif")
    return (
        f"<figure><figcaption><h3>{escape(film.title)}</h3><p>{escape(film.caption)}</p>"
        '</figcaption><picture><source media="(prefers-reduced-motion: reduce)" '
        f'srcset="{still}"><img src="{gif}" alt="{escape(film.title)}"></picture></figure>'
    )


def _table(table: Table) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in table.rows
    )
    return f'<h3>{escape(table.title)}</h3><table class="facts"><tbody>{rows}</tbody></table>'


def _details(config: str) -> str:
    return (
        "<details><summary>The resolved configuration</summary>"
        f"<pre><code>{escape(config)}</code></pre></details>"
    )


def _embedded(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
