"""A suite as a table: which rows a YAML stands for, all of them checked before any is played."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import flatten, require, to_dict, typed
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.loader import Loader
from armillary.experiments.command.verbs import written
from armillary.experiments.planning.entries import (
    BASELINES,
    ORACLE,
    entry_of,
    proposals_place,
)
from armillary.experiments.running.run_directory import check
from armillary.planners.proposals.stored import ProposalsError, find
from armillary.suggestions import suggest
from armillary.world_models.checkpoints.locate import (
    CheckpointError,
    bundled_checkpoints,
    find_checkpoint,
)

VERB = "benchmark"
ROWS = "rows"
"""Where the directories of rows are, in the suite's own."""
_DECIDED = ("suite", "output", "task", "planner", "simulators")
"""What words for all rows cannot say."""
_PROTOCOL = ("task", "episodes", "seed", "goal", "environment", "play_on")
"""What rows of one task must share."""


@dataclass
class Block:
    """Rows: every combination of what is named.

    Attributes:
        models: by the suite's names, or ``random``, ``noop``, ``oracle``, a bundled checkpoint, a
            run's directory.
        planners: by the suite's names, or choices of ``planner=``; what does not plan has one row
            for all of them.
        tasks: by the suite's names, or choices of ``task=``.
        seeds: of the first episode; by default that of the words.
        words: for these rows alone.
    """

    models: list[str]
    planners: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=lambda: ["push_blocks"])
    seeds: list[int] = field(default_factory=list)
    words: dict[str, Any] = field(default_factory=dict)


@dataclass
class Suite:
    """A YAML of the group ``suite``.

    Attributes:
        rows: blocks.
        about: what it is for, in a sentence.
        words: keys and values of ``benchmark`` for all rows, ``episodes: 100`` say.
        models: by name ``checkpoint`` (several where it was trained several times) and words.
        planners: by name words; ``planner`` is the name itself where they do not say it.
        tasks: by name words; likewise ``task``.
        skip_missing: whether rows whose checkpoints or proposals are not there are left out instead
            of refused.
    """

    rows: list[Block]
    about: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    planners: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    skip_missing: bool = False


@dataclass(frozen=True)
class Job:
    """A row that is still to be played.

    Attributes:
        name: unlike all others'.
        task: the suite's name of it, with the seed where the suite names seeds.
        model: the suite's name of it.
        planner: likewise; empty for what does not plan.
        simulator: one of its checkpoints.
        words: the command line of ``benchmark``, without its output.
    """

    name: str
    task: str
    model: str
    planner: str
    simulator: str
    words: Sequence[str]

    @property
    def folder(self) -> str:
        """Its name as that of a directory."""
        return re.sub(r"[^\w.-]+", "-", self.name).strip("-")


def jobs_of(
    config: DictConfig, given: Sequence[str], loader: Loader
) -> tuple[list[Job], list[str]]:
    """The rows of the configured suite, and the names of those that are left out.

    Args:
        config: of ``benchmark``, with ``suite``.
        given: words of the command line, for all rows.
        loader: composes the rows.

    Raises:
        UsageError: something that is named is not there or does not fit, two rows are the same,
            rows of one task have other protocols, or a row was played with other settings.
    """
    name = str(config.choices.suite)
    for word in given:
        key = word.lstrip("+~").partition("=")[0]
        if key in _DECIDED:
            raise UsageError(f"suite={name} decides {key} for each of its rows; leave {word} out")
    jobs: list[Job] = []
    skipped: list[str] = []
    protocols: dict[str, tuple[Job, dict[str, Any]]] = {}
    try:
        suite = typed(Suite, to_dict(config.suite or DictConfig({})))
        if any(word.startswith("seed=") for word in given) and any(b.seeds for b in suite.rows):
            raise UsageError("its rows have seeds of their own; leave seed= out")
        for job in _rows(suite, given, list(config.plugins)):
            if job.folder in {one.folder for one in jobs}:
                raise UsageError(f"the row {job.name} is there twice")
            row = _composed(job, loader)
            if not _is_there(job, row, suite):
                skipped.append(job.name)
                continue
            _check(job, row, protocols)
            _check_directory(job, row, Path(config.output).expanduser() / ROWS / job.folder)
            jobs.append(job)
        if not jobs:
            raise UsageError("no row is left to be played")
    except ArmillaryError as error:
        raise UsageError(f"suite={name}: {error}") from error
    return jobs, skipped


def _rows(suite: Suite, given: Sequence[str], plugins: Sequence[str]) -> Iterator[Job]:
    several = len({(task, *block.seeds) for block in suite.rows for task in block.tasks}) > 1
    several |= any(len(block.seeds) > 1 for block in suite.rows)
    for block in suite.rows:
        for task, seed, model, planner in _rows_of(block):
            posed = task if seed is None else f"{task} from seed {seed}"
            own = dict(suite.models.get(model, {}))
            found = own.pop("checkpoint", model)
            checkpoints = found if isinstance(found, list) else [found]
            words = {
                **suite.words,
                **_named("task", task, suite.tasks),
                **(_named("planner", planner, suite.planners) if planner else {}),
                **own,
                **block.words,
                **({} if seed is None else {"seed": seed}),
                "plugins": list(plugins),
            }
            # What the command line says comes last, and instead of what the suite says.
            said = {word.partition("=")[0] for word in given}
            lines = [f"{k}={written(v)}" for k, v in flatten(words).items() if k not in said]
            for number, checkpoint in enumerate(checkpoints, 1):
                parts = [posed if several else "", model, planner]
                parts += [f"training {number}"] if len(checkpoints) > 1 else []
                name = ", ".join(part for part in parts if part)
                simulators = f"simulators=[{written(str(checkpoint))}]"
                line = [*lines, simulators, *given]
                yield Job(name, posed, model, planner, str(checkpoint), line)


def _rows_of(block: Block) -> Iterator[tuple[str, int | None, str, str]]:
    """Task, seed, model and planner of every row: floors have no planner, and one row for all."""
    planned = product(block.tasks, block.seeds or [None], block.models, block.planners or [""])
    for task, seed, model, planner in planned:
        if model not in BASELINES:
            yield task, seed, model, planner
        elif planner in ("", *block.planners[:1]):
            yield task, seed, model, ""


def _named(group: str, name: str, table: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {group: name, **table.get(name, {})}


def _composed(job: Job, loader: Loader) -> DictConfig:
    try:
        config = loader.compose(VERB, job.words)
        require(config)
    except ArmillaryError as error:
        raise UsageError(f"the row {job.name}: {error}") from error
    return config


def _is_there(job: Job, config: DictConfig, suite: Suite) -> bool:
    """Whether what a row reads is there, which is refused unless the suite may do without.

    Raises:
        UsageError: there is no such model, no such checkpoint, or no such proposals.
    """
    try:
        learned = job.simulator not in (*BASELINES, ORACLE)
        if learned:
            find_checkpoint(job.simulator)
        place = proposals_place(config, job.simulator) if learned else None
        if place is not None:
            find(place)
    except (CheckpointError, ProposalsError) as error:
        if isinstance(error, CheckpointError) and job.model not in suite.models:
            known = [*suite.models, *BASELINES, ORACLE, *bundled_checkpoints()]
            raise UsageError(f"unknown model {job.model!r}; {suggest(job.model, known)}") from error
        if not suite.skip_missing:
            raise UsageError(
                f"the row {job.name}: {error}. 'skip_missing: true' in the suite leaves such rows "
                "out"
            ) from error
        return False
    return True


def _check(job: Job, config: DictConfig, protocols: dict[str, tuple[Job, dict[str, Any]]]) -> None:
    """Makes what a row plays with, and notes what its task is under.

    Args:
        job: of the row.
        config: of the row.
        protocols: of the tasks so far, each with its first row; grows.

    Raises:
        UsageError: the row cannot be played, or other rows of its task have another protocol.
    """
    try:
        with entry_of(job.simulator, config).resources:
            pass
    except ArmillaryError as error:
        raise UsageError(f"the row {job.name}: {error}") from error
    held = to_dict(config)
    told = flatten({key: held.get(key) for key in _PROTOCOL})
    first, facts = protocols.setdefault(job.task, (job, told))
    for key in sorted({*facts, *told}):
        if facts.get(key) != told.get(key):
            raise UsageError(
                f"{first.name} and {job.name} cannot be compared: {key} is {facts.get(key)} and "
                f"{told.get(key)}; give the other protocol a name of its own in 'tasks'"
            )


def _check_directory(job: Job, config: DictConfig, directory: Path) -> None:
    """Raises UsageError where the row was played there with other settings."""
    try:
        check(directory, VERB, to_dict(config))
    except UsageError as error:
        raise UsageError(f"the row {job.name}: {error}, or give the row another name") from error
