"""What a benchmark keeps of the episodes that have ended, so that it can be stopped and go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from omegaconf import DictConfig
from pydantic import Field

from armillary.agent.episodes import Episode
from armillary.agent.mpc import PlanningTime
from armillary.experiments.command.stored import Count, Part, Stored, read, write
from armillary.experiments.planning.entries import Entry
from armillary.experiments.running.provenance import made_with

PARTIAL = "partial"
_INDECISIVE = ("output", "workers", "simulators", "films", "card")
"""Settings that the numbers of a row do not depend on."""


class Outcome(Part):
    """How an episode ended.

    Attributes:
        seed: of the environment.
        success: whether the goal was reached.
        steps: steps of the task until then, or until the episode ended.
        held: whether it ended at the goal; None where success ended it.
        measures: what the task measures beside success, by name.
    """

    seed: Count
    success: bool
    steps: Count
    held: bool | None = None
    measures: dict[str, float] = Field(default_factory=dict)


class Batch(Stored):
    """Episodes that ended together; with the last of a batch the plans that were made for it."""

    episodes: list[Outcome]
    plans: list[PlanningTime]


class Kept:
    """Files of the finished episodes of a row, in ``output/partial``; one that is there is whole.

    Args:
        output: the directory of the run.
        identity: of the row, see ``identity_of``.
    """

    def __init__(self, output: Path, identity: str) -> None:
        self._folder = output / PARTIAL / identity[:16]

    def put(self, batch: Batch) -> None:
        """Keeps at least one episode."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write(self._folder / f"{batch.episodes[0].seed}.json", batch)

    def batches(self) -> Iterator[Batch]:
        """All that are kept, in the order of their seeds.

        Raises:
            UsageError: a file is damaged.
        """
        for path in sorted(self._folder.glob("[0-9]*.json"), key=lambda path: int(path.stem)):
            yield read(path, Batch)


def outcomes(episodes: Sequence[Episode], stride: int) -> list[Outcome]:
    """How episodes ended whose every step is ``stride`` steps of the task."""
    return [
        Outcome(
            seed=e.seed,
            success=e.success,
            steps=e.steps * stride,
            held=e.held,
            measures=dict(e.measures),
        )
        for e in episodes
    ]


def identity_of(entry: Entry, config: DictConfig) -> str:
    """A digest of all that the numbers of a row depend on: settings, weights and program."""
    made = made_with(config)
    settings = {k: v for k, v in made.pop("config").items() if k not in _INDECISIVE}
    told = {"name": entry.name, "weights": dict(entry.weights), "settings": settings, **made}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def forget(output: Path) -> None:
    """Removes all that is kept in the directory of a run."""
    if (output / PARTIAL).exists():
        shutil.rmtree(output / PARTIAL)
