"""The verb ``bench``: how fast this machine plans, trains, reads and evaluates."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

import torch
from omegaconf import DictConfig

from armillary.experiments.command.console import counted, counting, results
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.stored import read, write
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.speed import Check, Row, Speed
from armillary.experiments.running.provenance import made_with
from armillary.experiments.speed import device, equality
from armillary.experiments.speed.cases import Setting
from armillary.experiments.speed.groups import GROUPS, cases_of
from armillary.experiments.speed.kinds.scaling import growth
from armillary.experiments.speed.machine import machine
from armillary.experiments.speed.sizes import SIZES
from armillary.experiments.speed.subjects import by_default, known
from armillary.experiments.speed.table import tables
from armillary.experiments.speed.timing import measured
from armillary.suggestions import suggest
from armillary.world_models.device import resolve_device

SCRATCH = "partial"

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Speed:
    """Measures, writes ``results.json`` after every row, prints tables.

    Rows that the same program on the same machine has measured in the directory are kept.

    Raises:
        UsageError: there is no such size, group of rows, model or device.
        RunError: a check of a device failed.
    """
    output = Path(config.output).expanduser()
    setting = _setting(config, output / SCRATCH)
    found = _begun(config, setting, output / RESULTS)
    measure = _checked if config.device_checks else _measured
    with _folder(setting.scratch), _quiet():
        for known in measure(config, setting, found):
            write(output / RESULTS, known)
            found = known
    for table in tables(found):
        results.print(table)
    failed = [check.name for check in found.checks if not check.passed]
    if failed:
        raise RunError(f"{counted(len(failed), 'check')} failed: {', '.join(failed)}")
    return found


def _measured(config: DictConfig, setting: Setting, found: Speed) -> Iterator[Speed]:
    """All that is known after each row."""
    cases = cases_of(setting, list(config.rows))
    kept = {row.key: row for row in found.rows}
    rows: list[Row] = []
    progress, task = counting("measuring", len(cases))
    with progress:
        for case in cases:
            progress.update(task, description=f"{case.group}, {case.name}")
            key = case.row.key
            rows.append(kept[key] if key in kept else measured(case, setting))
            progress.advance(task)
            yield found.model_copy(update={"rows": rows, "growth": growth(rows)})


def _checked(config: DictConfig, setting: Setting, found: Speed) -> Iterator[Speed]:
    """All that is known after each check and row of the run for a device."""
    deadline = device.Deadline()
    of_checks, of_rows = deadline.of_checks, deadline.of_rows
    cases = [*device.cases(setting)]
    checks: list[Check] = []
    rows: list[Row] = []
    progress, task = counting("checking", len(cases) + 2)
    with progress:
        for check in equality.checks(setting, of_checks):
            checks.append(check)
            yield found.model_copy(update={"checks": checks})
        rows.append(device.end_to_end(setting, of_rows))
        progress.advance(task)
        for case in cases:
            progress.update(task, description=f"{case.group}, {case.name}")
            late = replace(case, make=None, note="no time was left")
            rows.append(measured(case if of_rows.left else late, setting))
            progress.advance(task)
            yield found.model_copy(update={"rows": rows, "checks": checks})
        checks.append(device.marked_tests(deadline))
        progress.advance(task)
        yield found.model_copy(update={"rows": rows, "checks": checks})


def _setting(config: DictConfig, scratch: Path) -> Setting:
    """The circumstances that a configuration asks for."""
    if config.size not in SIZES:
        raise UsageError(f"unknown size {config.size!r}; {suggest(str(config.size), SIZES)}")
    models = by_default() if config.models is None else tuple(map(str, config.models))
    for what, given, valid in (("rows", config.rows, GROUPS), ("models", models, known())):
        if not given or len({*given}) < len(given):
            raise UsageError(f"{what} must name each one once, and at least one; got {given}")
        for name in given:
            if name not in valid:
                raise UsageError(f"unknown {what} {name!r}; {suggest(str(name), valid)}")
    place = resolve_device(config.device)
    if config.device_checks:
        device.require(place, str(config.device))
    size = device.size(place) if config.device_checks else SIZES[config.size]
    return Setting(
        size,
        place,
        config.threads or torch.get_num_threads(),
        config.seed,
        models,
        scratch,
    )


def _begun(config: DictConfig, setting: Setting, path: Path) -> Speed:
    """What was measured before by the same program on the same machine, or nothing yet."""
    made = made_with(config)
    here = machine(setting.device, setting.threads)
    told = {**made, "machine": here.model_dump()}
    identity = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    if path.is_file():
        before = read(path, Speed)
        if before.identity == identity:
            return before
    return Speed(machine=here, identity=identity, seed=setting.seed, rows=[], **made)


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """An empty folder that is removed at the end; one that was left by a killed run goes too."""
    rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield
    finally:
        rmtree(path, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """What a training says of itself is not said for each of many."""
    logger = logging.getLogger("armillary.world_models")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
