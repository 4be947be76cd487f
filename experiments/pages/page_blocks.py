"""The parts that pages are made of; each knows its HTML and escapes what it is told."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

from PIL import Image

from armillary.experiments.pages.charts import Chart, legend, line_chart
from armillary.experiments.pages.page_style import STYLE

_LONG_LEGEND = 7
"""Lines of a chart above which its legend is long."""
_WIDE = 640
"""Pixels from which on a picture may be scrolled sideways on a phone."""


class Block(Protocol):
    """A part of a page."""

    def html(self) -> str:
        """Its HTML."""
        ...


def document(title: str, blocks: Sequence[Block]) -> str:
    """A whole page that takes nothing from elsewhere and runs no script."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{_joined(blocks)}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Header:
    """The headline, a paragraph, and a few figures, each with what it is."""

    title: str
    lead: str
    highlights: Sequence[tuple[str, str]]

    def html(self) -> str:
        """Its HTML."""
        highlights = "".join(
            f"<li><strong>{escape(value)}</strong><span>{escape(name)}</span></li>"
            for value, name in self.highlights
        )
        return (
            f"<header><h1>{escape(self.title)}</h1><p>{escape(self.lead)}</p>"
            f'<ul class="highlights">{highlights}</ul></header>'
        )


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; ``anchor`` is what links lead to, or empty."""

    title: str
    blocks: Sequence[Block]
    anchor: str = ""

    def html(self) -> str:
        """Its HTML."""
        anchor = f' id="{escape(self.anchor)}"' if self.anchor else ""
        return f"<section{anchor}><h2>{escape(self.title)}</h2>{_joined(self.blocks)}</section>\n"


@dataclass(frozen=True)
class Fold:
    """Blocks that are seen when their title is pressed.

    Attributes:
        title: what they are.
        blocks: inside.
        heading: whether the title is set large.
        anchor: what links lead to, or empty.
        unfolded: whether they are seen at first.
    """

    title: str
    blocks: Sequence[Block]
    heading: bool = False
    anchor: str = ""
    unfolded: bool = False

    def html(self) -> str:
        """Its HTML."""
        anchor = f' id="{escape(self.anchor)}"' if self.anchor else ""
        kind = ' class="large"' if self.heading else ""
        title = f"<h3>{escape(self.title)}</h3>" if self.heading else escape(self.title)
        unfolded = " open" if self.unfolded else ""
        return (
            f"<details{kind}{anchor}{unfolded}><summary>{title}</summary>"
            f"{_joined(self.blocks)}</details>"
        )


@dataclass(frozen=True)
class Subheading:
    """A heading within a section."""

    text: str

    def html(self) -> str:
        """Its HTML."""
        return f"<h3>{escape(self.text)}</h3>"


@dataclass(frozen=True)
class Text:
    """A paragraph; a warning stands out."""

    text: str
    warning: bool = False

    def html(self) -> str:
        """Its HTML."""
        kind = ' class="warning" role="note"' if self.warning else ""
        return f"<p{kind}>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Code:
    """Lines as they are typed."""

    text: str

    def html(self) -> str:
        """Its HTML."""
        return f'<pre tabindex="0"><code>{escape(self.text)}</code></pre>'


@dataclass(frozen=True)
class Table:
    """Names and values; an empty title is not shown."""

    title: str
    rows: Sequence[tuple[str, str]]

    def html(self) -> str:
        """Its HTML."""
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in self.rows
        )
        title = f"<h3>{escape(self.title)}</h3>" if self.title else ""
        return f'{title}<table class="facts"><tbody>{rows}</tbody></table>'


@dataclass(frozen=True)
class Charts:
    """Charts side by side, where there is room; a long legend is shown once for all of them."""

    charts: Sequence[Chart]

    def html(self) -> str:
        """Its HTML."""
        named = [chart for chart in self.charts if chart.legend]
        shared = max((len(chart.lines) for chart in named), default=0) > _LONG_LEGEND
        charts = "".join(_chart(chart, chart.legend and not shared) for chart in self.charts)
        return f'{legend(named) if shared else ""}<div class="charts">{charts}</div>'


@dataclass(frozen=True)
class Film:
    """A GIF, and the picture that stands for it where motion is unwanted.

    Attributes:
        title: what it is.
        caption: how to read it.
        gif: the file.
        still: a PNG file.
        alt: what it shows, for who cannot see it; empty takes the title.
    """

    title: str
    caption: str
    gif: Path
    still: Path
    alt: str = ""

    def html(self) -> str:
        """Its HTML.

        Raises:
            OSError: a file is not there.
        """
        still, gif = _embedded(self.still, "image/png"), _embedded(self.gif, "image/gif")
        with Image.open(self.gif) as image:
            width, height = image.size
        wide = ' class="wide"' if width >= _WIDE else ""
        return (
            f"<figure><figcaption><h3>{escape(self.title)}</h3><p>{escape(self.caption)}</p>"
            f'</figcaption><picture{wide}><source media="(prefers-reduced-motion: reduce)" '
            f'srcset="{still}"><img src="{gif}" alt="{escape(self.alt or self.title)}" '
            f'width="{width}" height="{height}"></picture></figure>'
        )


@dataclass(frozen=True)
class Gallery:
    """Blocks beside each other, where there is room."""

    blocks: Sequence[Block]

    def html(self) -> str:
        """Its HTML."""
        return f'<div class="gallery">{_joined(self.blocks)}</div>'


def _joined(blocks: Sequence[Block]) -> str:
    return "".join(block.html() for block in blocks)


def _chart(chart: Chart, named: bool) -> str:
    return (
        f"<figure><figcaption><h3>{escape(chart.title)}</h3><p>{escape(chart.note)}</p></figcaption>"
        f"{line_chart(chart)}{legend([chart]) if named else ''}</figure>"
    )


def _embedded(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
