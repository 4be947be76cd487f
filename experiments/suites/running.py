"""Runs a suite: every row as a run of its own, by Hydra's launchers, and gathers what they say."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from armillary.errors import ArmillaryError
from armillary.experiments.command.console import counted
from armillary.experiments.command.errors import RunError
from armillary.experiments.command.stored import read, write
from armillary.experiments.command.sweep import command_line, launch
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.success import Benchmark, Filmed, Row
from armillary.experiments.pages.report import report_page
from armillary.experiments.pages.runs import ended_run
from armillary.experiments.planning.kept import Outcome
from armillary.experiments.running.provenance import made_with
from armillary.experiments.running.run_directory import recorded
from armillary.experiments.suites.comparing import EPISODES, compared, played_in, trainings
from armillary.experiments.suites.table import ROWS, VERB, Job, jobs_of
from armillary.files import write_json, write_text

PAGE = "index.html"
_MEGABYTES = 18.0
_OF_THE_SUITE = re.compile(r"[+~]*(suite|output)\b")
"""Words of the command line that are not for the rows."""

log = logging.getLogger(__name__)

Play = Callable[[DictConfig], object]
"""Plays one row."""


def run(config: DictConfig, play: Play) -> list[Row]:
    """Plays every row that is not finished, writes ``results.json``, ``episodes.json``, a page.

    Args:
        config: of ``benchmark``, with ``suite``.
        play: plays the row of a configuration and writes its results.

    Raises:
        UsageError: something that the suite names is not there; nothing has been played then.
        RunError: a row did not finish; the others are played, and the same command goes on.
    """
    output = Path(config.output).expanduser()
    said, _, loader = command_line()
    given = [word for word in said if not _OF_THE_SUITE.match(word)]
    jobs, skipped = jobs_of(config, given, loader)
    log.info("%s, %d left out", counted(len(jobs), "row"), len(skipped))
    words = {job.folder: job.words for job in jobs}
    codes = launch(VERB, words, output / ROWS, partial(_played, play))
    failed = [job.name for job in jobs if codes[job.folder] != 0]
    if failed:
        raise RunError(f"{counted(len(failed), 'row')} did not finish: {'; '.join(failed)}")
    found, played = _gathered(jobs, output)
    told = {label: [one.model_dump() for one in episodes] for label, episodes in played.items()}
    write_json(output / EPISODES, told)
    suite = {"suite": str(config.choices.suite), "about": str(config.suite.get("about", ""))}
    whole = Benchmark(
        rows=found.rows,
        comparisons=compared(found.rows, played),
        trainings=trainings(found.rows),
        films=found.films,
        skipped=skipped,
        **suite,
        **made_with(config),
    )
    write(output / RESULTS, whole)
    with tempfile.TemporaryDirectory() as scratch:
        page = report_page([ended_run(output)], None, int(_MEGABYTES * 1e6), Path(scratch))
    write_text(output / PAGE, page)
    log.info("the page is %s", output / PAGE)
    return found.rows


def _played(play: Play, verb: str, config: DictConfig, words: Sequence[str]) -> int:
    """A row, in whichever process it was launched; what goes wrong does not stop the others."""
    try:
        with recorded(verb, config, words):
            play(config)
    except (ArmillaryError, RunError) as error:
        log.error("%s", error)
        return 1
    return 0


def _gathered(jobs: Sequence[Job], output: Path) -> tuple[Benchmark, dict[str, list[Outcome]]]:
    """The rows of all jobs under the suite's names, and their episodes."""
    rows: list[Row] = []
    films: list[Filmed] = []
    played: dict[str, list[Outcome]] = {}
    for job in jobs:
        folder = output / ROWS / job.folder
        found = read(folder / RESULTS, Benchmark)
        names = {"name": job.name, "model": job.model, "task": job.task}
        names |= {"planner": job.planner} if job.planner else {}
        rows += [row.model_copy(update=names) for row in found.rows]
        played[job.name] = played_in(folder)[job.simulator]
        films += [
            one.model_copy(update={"row": job.name, "gif": f"{ROWS}/{job.folder}/{one.gif}"})
            for one in found.films
        ]
    return Benchmark(rows=rows, films=films), played
