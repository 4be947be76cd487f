"""What the page of a demo says: read from the results of its phases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from armillary.experiments.command.provenance import commit, versions
from armillary.experiments.pages.page import Page
from armillary.experiments.pages.page_blocks import Film, Table
from armillary.experiments.pages.report_content import duration
from armillary.experiments.pages.report_planning import EXPLANATIONS
from armillary.experiments.pages.report_render import FILMS
from armillary.experiments.pages.success_table import Result
from armillary.experiments.pages.training_curves import training_charts
from armillary.world_models.data import EpisodeFile

_TRAINED = "the world model trained here: sees pixels only"


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


def demo_page(phases: Sequence[Phase], command: str, config: str) -> Page:
    """The content of the page.

    Args:
        phases: collect, train, benchmark and render, finished.
        command: of the whole demo.
        config: its resolved configuration, as YAML.
    """
    by_verb = {phase.verb: phase for phase in phases}
    trained = str(by_verb["train"].directory)
    rows = _read(by_verb["benchmark"].directory / "results.json")["rows"]
    results = [_result(row, trained) for row in rows]
    episodes = EpisodeFile(by_verb["collect"].directory / "episodes.h5")
    training = _read(by_verb["train"].directory / "results.json")
    render = by_verb["render"].directory
    task, planner, seed = rows[-1]["task"], rows[-1]["planner"], rows[-1]["seed"]
    count, frames = sum(s.episodes for s in episodes.splits.values()), episodes.splits["train"]
    total = duration(sum(phase.seconds for phase in phases))
    return Page(
        title="Planning from pixels with a learned world model",
        lead=(
            f"A world model learned from {count} episodes of video how things in the task {task} "
            "look and move. Then it planned: it saw an image and a goal image, imagined what "
            "actions would lead to, and took the best. One command made everything on this page."
            + "".join(f" {remark}" for remark in training["remarks"])
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
            f"Every row meets the same {rows[-1]['episodes']} problems once, with seeds from "
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
            Table("Phases", [(phase.verb, phase.duration) for phase in phases]),
            Table(
                "Data",
                [
                    *(
                        (name, f"{info.episodes} episodes of {info.length} frames")
                        for name, info in episodes.splits.items()
                    ),
                    ("frames", f"{frames.image_size} x {frames.image_size} pixels"),
                ],
            ),
            Table(
                "The model after training",
                [
                    ("optimiser steps", str(training["steps"])),
                    *((n, f"{v:.3g}") for n, v in training["metrics"].items() if "/" not in n),
                ],
            ),
            Table("Made with", [("commit", commit()), *versions().items()]),
        ],
        config=config,
    )


def _result(row: dict[str, Any], trained: str) -> Result:
    name = row["simulator"]
    return Result(
        name="trained model" if name == trained else name,
        explanation=_TRAINED if name == trained else EXPLANATIONS.get(name, ""),
        successes=row["successes"],
        episodes=row["episodes"],
        interval=tuple(row["ci95"]),
        steps=row["steps_to_success"],
        seconds=row["plan_seconds"],
    )


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
