"""What the page of a demo says: read from the results of its phases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from armillary.experiments.command.console import duration
from armillary.experiments.command.stored import read
from armillary.experiments.evaluation.results import RESULTS, Training
from armillary.experiments.evaluation.success import Benchmark, Row
from armillary.experiments.films.embedded import Film
from armillary.experiments.pages.charts import Chart, Charts
from armillary.experiments.pages.html import render
from armillary.experiments.pages.others import FILMS
from armillary.experiments.pages.planning import Result, result_of
from armillary.experiments.pages.training import training_charts
from armillary.experiments.running.provenance import commit, versions
from armillary.world_models.data import EpisodeFile

_OPTION = re.compile(r"(?<![\w.])(trainer\.\w|max_steps=|max_minutes=)")
_TRAINED = "the world model trained here: sees pixels only"


def in_demo(remark: str) -> str:
    """A remark of ``train``, with the options as ``demo`` calls them."""
    return _OPTION.sub(
        lambda found: f"train.{'' if found[1].startswith('trainer.') else 'trainer.'}{found[1]}",
        remark,
    )


@dataclass(frozen=True)
class Page:
    """What the page says.

    Attributes:
        title: the headline.
        lead: one paragraph.
        highlights: a few figures, each with what it is.
        results_note: what an episode was and how it was counted.
        results: rows of the table of success rates.
        charts: how training went.
        films: what the model does.
        commands: what makes all this again.
        tables: what was run, and with what: titles, names and values.
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
    tables: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    config: str


@dataclass(frozen=True)
class Phase:
    """A finished phase.

    Attributes:
        verb: what ran.
        directory: its results.
        command: that ran it.
        seconds: wall-clock time.
    """

    verb: str
    directory: Path
    command: str
    seconds: float

    @property
    def duration(self) -> str:
        """For people."""
        return duration(self.seconds)


def render_page(page: Page) -> str:
    """The page as HTML.

    Raises:
        OSError: a film's file is not there.
        ValueError: a chart holds no valid numbers.
    """
    return render("demo.html.j2", page=page, charts=Charts(page.charts))


def demo_page(phases: Sequence[Phase], command: str, config: str) -> Page:
    """The content of the page.

    Args:
        phases: collect, train, benchmark and render, finished.
        command: of the whole demo.
        config: its resolved configuration, as YAML.
    """
    by_verb = {phase.verb: phase for phase in phases}
    trained = str(by_verb["train"].directory)
    rows = read(by_verb["benchmark"].directory / RESULTS, Benchmark).rows
    results = [_result(row, trained) for row in rows]
    episodes = EpisodeFile(by_verb["collect"].directory / "episodes.h5")
    training = read(by_verb["train"].directory / RESULTS, Training)
    render = by_verb["render"].directory
    task, planner, seed = rows[-1].task, rows[-1].planner, rows[-1].seed
    count, frames = sum(s.episodes for s in episodes.splits.values()), episodes.splits["train"]
    total = duration(sum(phase.seconds for phase in phases))
    return Page(
        title="Planning from pixels with a learned world model",
        lead=(
            f"A world model learned from {count} episodes of video how things in the task {task} "
            "look and move. Then it planned: it saw an image and a goal image, imagined what "
            "actions would lead to, and took the best. One command made everything on this page."
            + "".join(f" {in_demo(remark)}" for remark in training.remarks)
        ),
        highlights=[
            *(
                (f"{result.successes} of {result.episodes}", f"goals: {result.name}")
                for result in reversed(results)
                if result.name != "noop"
            ),
            (total, "for everything, training included"),
        ],
        results_note=(
            f"Every row meets the same {rows[-1].episodes} problems once, with seeds from "
            f"{seed}; the planner is {planner}. The bars are 95 % Wilson intervals."
        ),
        results=results,
        charts=training_charts(by_verb["train"].directory / "tb"),
        films=[
            Film(title, caption, render / f"{name}.gif", render / f"{name}.png")
            for name, title, caption in FILMS
        ],
        commands=[command, "", "# the same in steps", *(phase.command for phase in phases)],
        tables=[
            ("Phases", [(phase.verb, phase.duration) for phase in phases]),
            (
                "Data",
                [
                    *(
                        (name, f"{info.episodes} episodes of {info.length} frames")
                        for name, info in episodes.splits.items()
                    ),
                    ("frames", f"{frames.image_size} x {frames.image_size} pixels"),
                ],
            ),
            (
                "The model after training",
                [
                    ("optimiser steps", str(training.steps)),
                    *((n, f"{v:.3g}") for n, v in _last(training).items()),
                ],
            ),
            ("Made with", [("commit", commit()), *versions().items()]),
        ],
        config=config,
    )


def _result(row: Row, trained: str) -> Result:
    if row.simulator != trained:
        return result_of(row)
    return replace(result_of(row, _TRAINED), name="trained model")


def _last(training: Training) -> dict[str, float]:
    return {k: v for k, v in training.metrics.items() if v is not None and "/" not in k}
