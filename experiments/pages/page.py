"""The page of a demo: success, films, training, and what makes it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from armillary.experiments.pages.charts import Chart
from armillary.experiments.pages.page_blocks import (
    Block,
    Charts,
    Code,
    Film,
    Fold,
    Header,
    Section,
    Table,
    document,
)
from armillary.experiments.pages.success_table import Result, Results


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
    blocks: list[Block] = [Header(page.title, page.lead, page.highlights)]
    if page.results:
        blocks.append(Section("Success", [Results(page.results_note, page.results)]))
    if page.films:
        blocks.append(Section("Imagination and plans", page.films))
    if page.charts:
        blocks.append(Section("Training", [Charts(page.charts)]))
    config = Fold("The resolved configuration", [Code(page.config)])
    blocks.append(Section("Make it again", [Code("\n".join(page.commands))]))
    blocks.append(Section("What was run", [*page.tables, config]))
    return document(page.title, blocks)
