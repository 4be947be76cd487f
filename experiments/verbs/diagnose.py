"""The verb ``diagnose``: was it the model, the cost or the search?"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import build
from armillary.experiments.command.console import counting, results
from armillary.experiments.command.stored import write
from armillary.experiments.command.sweep import command_line
from armillary.experiments.command.verbs import written
from armillary.experiments.diagnosis.arms import Exchanges, strided
from armillary.experiments.diagnosis.gathering import gathered
from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    OTHER,
    Diagnosis,
    Evidence,
)
from armillary.experiments.evaluation.diagnosis.verdict import judged, verdict_of
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.success import Row
from armillary.experiments.pages.report import report_page
from armillary.experiments.pages.runs import ended_run
from armillary.experiments.planning.entries import Entry, entry_of
from armillary.experiments.planning.kept import Kept, Outcome, forget, identity_of
from armillary.experiments.running.provenance import made_with
from armillary.experiments.suites.comparing import compared
from armillary.experiments.verbs.benchmark import play, show, summarise
from armillary.files import write_text
from armillary.seeds import played_episode_seed
from armillary.world_models.oracle import OracleSimulator, Physics

log = logging.getLogger(__name__)

PAGE = "index.html"
_MEGABYTES = 18.0


def run(config: DictConfig) -> Diagnosis:
    """Plays every row, looks at some episodes, and writes ``results.json`` and ``index.html``.

    Each episode is kept as it ends, so that the same command goes on after an interruption.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        ArmillaryError: it does not plan, or settings do not fit.
    """
    output = Path(config.output).expanduser()
    entry = entry_of(str(config.checkpoint), config)
    known = "physics" in config.task
    physics = strided(build(config.task.physics), entry.stride) if known else None
    found = diagnosed(entry, config, physics).model_copy(update=made_with(config))
    write(output / RESULTS, found)
    forget(output)
    with tempfile.TemporaryDirectory() as scratch:
        page = report_page([ended_run(output)], None, int(_MEGABYTES * 1e6), Path(scratch))
    write_text(output / PAGE, page)
    show(found.evidence.rows)
    for told in found.evidence.left_out:
        results.print(f"left out: {told}", highlight=False)
    results.print(f"verdict: {found.verdict}. {found.evidence.reasons[0]}", highlight=False)
    log.info("the page is %s", output / PAGE)
    return found


def diagnosed(entry: Entry, config: DictConfig, physics: Physics | None) -> Diagnosis:
    """The verdict and the evidence.

    Args:
        entry: that plans.
        config: of ``diagnose``.
        physics: of the task, as often as the entry acts; None where it has none.
    """
    rows: list[Row] = []
    played: dict[str, list[Outcome]] = {}
    left: list[str] = []
    if physics is None:
        left.append(
            f"task {config.task.name!r} has no snapshots (its settings name no physics), so that "
            "it cannot be diagnosed with true dynamics and the true cost; what is left is a larger "
            "search, and imagination against the frames that were seen"
        )
    opened = closing(OracleSimulator(physics, config.workers)) if physics else nullcontext()
    with entry.resources, opened as oracle:
        exchanges = Exchanges(entry, config, _true_objective(config), oracle, physics)
        names = exchanges.rows()
        others: set[str] = set()

        def add(name: str, make: Callable[[str], Entry]) -> None:
            arm = make(name)
            kept = Kept(Path(config.output).expanduser(), identity_of(arm, config))
            played[name] = play(arm, config, kept)
            told = {"name": name, "simulator": entry.name}
            rows.append(summarise(arm, played[name], config).model_copy(update=told))

        for name in names:
            try:
                add(name, exchanges.row)
            except ArmillaryError as error:
                if name == AS_IS:
                    raise
                left.append(f"{name}: {error}")
                with suppress(ArmillaryError):
                    add(name, exchanges.instead)
                    others.add(name)
                    left[-1] += f"; played by {OTHER} instead, planner={rows[-1].planner}"
        if others and OTHER not in names:
            add(OTHER, exchanges.row)
        more = _looked(exchanges, exchanges.row(AS_IS))
    left += more.pop("left_out", [])
    named = {row.label: row for row in rows}
    comparisons = [
        one
        for row in rows[1:]
        for one in compared([row, named[OTHER if row.label in others else AS_IS]], played)
    ]
    evidence = judged(
        Evidence(
            reasons=[], certain=False, rows=rows, comparisons=comparisons, left_out=left, **more
        )
    )
    return Diagnosis(checkpoint=entry.name, verdict=verdict_of(evidence), evidence=evidence)


def _looked(exchanges: Exchanges, row: Entry) -> dict[str, Any]:
    config = exchanges.config
    count = min(config.looks, config.episodes)
    seeds = [played_episode_seed(config.seed, index) for index in range(count)]
    progress, task = counting("looking closely", count)
    with progress:
        return gathered(exchanges, row, seeds, lambda ended: progress.advance(task, len(ended)))


def _true_objective(config: DictConfig) -> DictConfig:
    """The section of the cost that is taken for the true one."""
    plugins = f"plugins={written(list(config.plugins))}"
    words = [plugins, f"objective={written(str(config.true_cost))}"]
    return command_line()[2].compose("benchmark", words).objective
