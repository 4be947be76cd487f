"""Reads the directories that runs left: what ran, how it ended, and its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.run_directory import CONFIG, RECORD
from armillary.experiments.pages.json_fields import Fields, read_fields

RESULTS = "results.json"
FINISHED = "finished"

_STATES = {
    "running": "it is still running, or was killed",
    "failed": "it failed, and its run.log says why",
    "interrupted": "it was interrupted",
    "refused": "it was refused because of a mistake in its command",
}
_ALWAYS_RESULTS = ("benchmark", "evaluate", "plan", "render", "train")
"""Verbs whose finished runs have results."""


@dataclass(frozen=True)
class Run:
    """A run as its directory tells it.

    Attributes:
        name: short, and different from the others'.
        directory: of the run.
        verb: what ran.
        command: the command line.
        commit: of the program.
        versions: of the libraries.
        seed: as text; empty where there is none.
        started: in UTC, for people.
        seconds: wall-clock time; ``None`` until it ends.
        status: ``finished`` or what happened instead.
        config: the resolved configuration, as YAML; empty where it is missing.
        results: content of ``results.json``; ``None`` where it is missing.
    """

    name: str
    directory: Path
    verb: str
    command: str
    commit: str
    versions: Sequence[tuple[str, str]]
    seed: str
    started: str
    seconds: float | None
    status: str
    config: str
    results: Fields | None

    @property
    def trouble(self) -> str:
        """What kept the run from finishing, as a sentence; empty if it finished."""
        if self.status == FINISHED:
            return ""
        what = _STATES.get(self.status, f"its state is {self.status!r}")
        rest = "There are no results yet." if self.results is None else "What it wrote is shown."
        return f"{self.name} did not finish: {what}. {rest}"


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
    record = read_fields(directory / RECORD)
    verb, status = record["verb"].text(), record["status"].text()
    results = None
    if (directory / RESULTS).is_file():
        results = read_fields(directory / RESULTS)
        results.table()
    elif status == FINISHED and verb in _ALWAYS_RESULTS:
        raise UsageError(
            f"{directory} is damaged: {RECORD} says that {verb} finished, but there is no {RESULTS}"
        )
    config = directory / CONFIG
    started = _time(record["started"])
    ended = None if record["ended"].empty else _time(record["ended"])
    return Run(
        name=name,
        directory=directory,
        verb=verb,
        command=record["command"].text(),
        commit=record["commit"].text(),
        versions=[(name, value.text()) for name, value in record["versions"].table().items()],
        seed="" if record.get("seed").empty else record["seed"].text(),
        started=f"{started:%Y-%m-%d %H:%M} UTC",
        seconds=None if ended is None else (ended - started).total_seconds(),
        status=status,
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else "",
        results=results,
    )


def _time(field: Fields) -> datetime:
    try:
        return datetime.fromisoformat(field.text())
    except ValueError as error:
        raise UsageError(f"{field.place} must be a time, got {field.value!r}") from error
