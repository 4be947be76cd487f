"""Reads the directories that runs left: what ran, how it ended, and its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from omegaconf import OmegaConf
from pydantic import AfterValidator, Field

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import flatten
from armillary.experiments.command.console import duration
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import Part, Stored, read
from armillary.experiments.command.yaml_text import keys_and_values
from armillary.experiments.evaluation.results import RESULTS, read_results
from armillary.experiments.running.run_directory import CONFIG, RECORD
from armillary.locks import is_locked
from armillary.reading import read_json

_FINISHED = "finished"
_STATES = {
    "running": "it is still running",
    "killed": "it was killed",
    "failed": "it failed, and its run.log says why",
    "interrupted": "it was interrupted",
    "refused": "it was refused because of a mistake in its command",
}
_ALWAYS_RESULTS = ("benchmark", "evaluate", "plan", "render", "train")
"""Verbs whose finished runs have results."""


def _a_time(text: str) -> str:
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ValueError("must be a time with its zone")
    return text


Time = Annotated[str, AfterValidator(_a_time)]


class Record(Part):
    """What a run says of itself in ``run.json``."""

    verb: str
    command: str
    commit: str
    versions: dict[str, str] = Field(default_factory=dict)
    seed: Any = None
    started: Time
    ended: Time | None
    status: str


@dataclass(frozen=True)
class Run:
    """A run as its directory tells it.

    Attributes:
        name: short, and different from the others'.
        directory: of the run.
        record: how it was made and ended.
        config: the resolved configuration, as YAML; empty where it is missing.
        settings: the same by dotted key.
        results: content of ``results.json``; ``None`` where it is missing.
    """

    name: str
    directory: Path
    record: Record
    config: str
    settings: Mapping[str, Any]
    results: Stored | None

    @property
    def verb(self) -> str:
        """What ran."""
        return self.record.verb

    @property
    def status(self) -> str:
        """How it ended; ``killed`` if nobody had the time to write that down."""
        status = self.record.status
        dead = status == "running" and not is_locked(self.directory)
        return "killed" if dead else status

    @property
    def trouble(self) -> str:
        """What kept the run from finishing, as a sentence; empty if it finished."""
        status = self.status
        if status == _FINISHED:
            return ""
        what = _STATES.get(status, f"its state is {status!r}")
        rest = "There are no results yet." if self.results is None else "What it wrote is shown."
        return f"{self.name} did not finish: {what}. {rest}"

    @property
    def started(self) -> str:
        """In UTC, for people."""
        return f"{datetime.fromisoformat(self.record.started):%Y-%m-%d %H:%M} UTC"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """How the run was made: names and values."""
        record, took = self.record, "not ended"
        if record.ended is not None:
            ends = (datetime.fromisoformat(time) for time in (record.ended, record.started))
            ended, started = ends
            took = duration((ended - started).total_seconds())
        return [
            ("verb", record.verb),
            ("directory", str(self.directory)),
            ("status", self.status),
            ("started", self.started),
            ("took", took),
            ("seed", "none" if record.seed is None else str(record.seed)),
            ("commit", record.commit),
            ("versions", ", ".join(f"{name} {v}" for name, v in record.versions.items())),
        ]

    def raw(self) -> dict[str, Any]:
        """What ``results.json`` holds, as it is; empty where it is missing."""
        file = self.directory / RESULTS
        return {} if self.results is None else read_json(file, UsageError)


def read_runs(directories: Sequence[Path]) -> list[Run]:
    """Every run in its order.

    Raises:
        UsageError: there is no directory, one is given twice, is no run's or is damaged.
    """
    if not directories:
        raise UsageError("report needs at least one run: armillary report RUN... output=page.html")
    resolved = [directory.resolve() for directory in directories]
    for index, directory in enumerate(resolved):
        if directory in resolved[:index]:
            raise UsageError(f"{directories[index]} is given twice; name every run once")
    names = short_names(resolved)
    return [_read(path, name) for path, name in zip(directories, names, strict=True)]


def ended_run(directory: Path) -> Run:
    """A run that is about to end well, as it will be.

    Raises:
        UsageError: see ``read_runs``.
    """
    run = _read(directory, directory.resolve().name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    ended = run.record.model_copy(update={"status": _FINISHED, "ended": now})
    return replace(run, record=ended)


def short_names(directories: Sequence[Path]) -> list[str]:
    """The last parts of the paths, as many as it takes to tell them apart."""
    most = max(len(directory.parts) for directory in directories)
    for count in range(1, most + 1):
        names = ["/".join(directory.parts[-count:]) for directory in directories]
        if len(set(names)) == len(names):
            return names
    return [str(directory) for directory in directories]


def _read(directory: Path, name: str) -> Run:
    if not directory.is_dir():
        what = "a file" if directory.exists() else "not there"
        raise UsageError(f"{directory} is {what}; report needs the directory of a run")
    if not (directory / RECORD).is_file():
        raise UsageError(
            f"{directory} is no directory of a run, or a damaged one: it has no {RECORD}"
        )
    record = read(directory / RECORD, Record)
    results = None
    if (directory / RESULTS).is_file():
        results = read_results(directory, record.verb)
    elif record.status == _FINISHED and record.verb in _ALWAYS_RESULTS:
        raise UsageError(
            f"{directory} is damaged: {RECORD} says that {record.verb} finished, but there is no "
            f"{RESULTS}"
        )
    file = directory / CONFIG
    config = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return Run(name, directory, record, config, _settings(config), results)


def _settings(config: str) -> dict[str, Any]:
    """A configuration by dotted key; empty where it cannot be read."""
    try:
        content = OmegaConf.to_container(keys_and_values(config, CONFIG))
    except ArmillaryError:
        return {}
    return flatten(content)
