"""What a page shows of ``render``: its films, and how to read them."""

from __future__ import annotations

from armillary.experiments.pages.page_blocks import Table
from armillary.experiments.pages.report_content import Content
from armillary.experiments.pages.report_films import FilmRequest
from armillary.experiments.pages.report_runs import Run

FILMS = (
    (
        "rollout",
        "Real and imagined",
        "The model sees the first frames (blue). From then on it is given the actions alone "
        "(orange): once without noise, then sampled.",
    ),
    (
        "slots",
        "Slots",
        "What each slot shows where its mask lies, and the masks in the colours of their slots: "
        "above for a model that sees every frame, below imagined from the first ones.",
    ),
    (
        "plan",
        "A planned episode",
        "What happened, what the plan then in force expected, where that plan would end, and the "
        "goal image; it counts for what is pushed, not for what pushes.",
    ),
)
"""File name without its ending, title and caption of every film of ``render``."""


def render_content(run: Run) -> Content:
    """The films of a run, and of what they are."""
    if run.results is None:
        return Content()
    rows = [(name, run.results[name].text()) for name in ("checkpoint", "data", "split", "episode")]
    films = [
        FilmRequest(
            title=f"{run.name}: {title}",
            caption=caption,
            alt=f"Film: {caption}",
            gif=run.directory / f"{name}.gif",
            still=run.directory / f"{name}.png",
        )
        for name, title, caption in FILMS
    ]
    return Content(blocks=[Table("What is filmed", rows)], films=films)
