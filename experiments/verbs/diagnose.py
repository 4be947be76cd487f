"""The verb ``diagnose``: was it the model, the cost or the search?"""

from __future__ import annotations

import logging
import tempfile
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import build
from armillary.experiments.command.console import counting, results
from armillary.experiments.command.stored import write
from armillary.experiments.diagnosis.arms import Exchanges, composed, strided
from armillary.experiments.diagnosis.gathering import gathered
from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    OTHER,
    Diagnosis,
    Evidence,
)
from armillary.experiments.evaluation.diagnosis.verdict import judged, verdict_of
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.success import Comparison, Row
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
        played = _Played(entry.name, config)
        for name in (names := exchanges.rows()):
            try:
                played.add(exchanges.row(name))
            except ArmillaryError as error:
                if name == AS_IS:
                    raise
                left.append(f"{name}: {error}")
                with suppress(ArmillaryError):
                    other = exchanges.instead(name)
                    played.add(other, against=OTHER)
                    left[-1] += f"; played by {OTHER} instead, planner={other.planner}"
        if OTHER in played.against.values() and OTHER not in names:
            played.add(exchanges.row(OTHER))
        more = _looked(exchanges, exchanges.row(AS_IS))
    left += more.pop("left_out", [])
    found = Evidence(
        reasons=[],
        certain=False,
        rows=played.rows,
        comparisons=played.comparisons(),
        left_out=left,
        **more,
    )
    evidence = judged(found)
    return Diagnosis(checkpoint=entry.name, verdict=verdict_of(evidence), evidence=evidence)


@dataclass
class _Played:
    """Rows that have been played.

    Attributes:
        checkpoint: of all of them.
        config: of ``diagnose``.
        rows: in the order in which they were played, the first one as it is.
        outcomes: of their episodes, by name.
        against: by name the row that each is compared with.
    """

    checkpoint: str
    config: DictConfig
    rows: list[Row] = field(default_factory=list)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    against: dict[str, str] = field(default_factory=dict)

    def add(self, arm: Entry, against: str = AS_IS) -> None:
        """Plays a row, which is called as its entry."""
        # Episodes that the planner that was given has kept are none of the other search's.
        own = arm if against == AS_IS else replace(arm, name=f"{arm.name}, {against}")
        kept = Kept(Path(self.config.output).expanduser(), identity_of(own, self.config))
        self.outcomes[arm.name] = play(arm, self.config, kept)
        told = {"name": arm.name, "simulator": self.checkpoint}
        row = summarise(arm, self.outcomes[arm.name], self.config)
        self.rows.append(row.model_copy(update=told))
        self.against[arm.name] = against

    def comparisons(self) -> list[Comparison]:
        """Of every row but the first with its own."""
        named = {row.label: row for row in self.rows}
        return [
            one
            for row in self.rows[1:]
            for one in compared([row, named[self.against[row.label]]], self.outcomes)
        ]


def _looked(exchanges: Exchanges, row: Entry) -> dict[str, Any]:
    config = exchanges.config
    count = min(config.looks, config.episodes)
    seeds = [played_episode_seed(config.seed, index) for index in range(count)]
    progress, task = counting("looking closely", count)
    with progress:
        return gathered(exchanges, row, seeds, lambda ended: progress.advance(task, len(ended)))


def _true_objective(config: DictConfig) -> DictConfig:
    """The section of the cost that is taken for the true one."""
    return composed(config, {"objective": str(config.true_cost)}).objective
