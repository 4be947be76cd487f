"""Runs a verb once for each combination of several values: Hydra's sweepers and launchers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict

from armillary.experiments.command.config import loader_of
from armillary.experiments.command.console import messages
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.loader import FOLDER, Loader
from armillary.experiments.command.verbs import keyed, positional_of, quoted

Run = Callable[[str, DictConfig, Sequence[str]], int]
"""Runs a verb with a configuration that these words composed to; returns the exit code."""
_QUIET = (
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
    "hydra.output_subdir=null",
    "hydra.job.chdir=false",
)
_DIRECTORY = "hydra.sweep.dir"


def sweep(verb: str, words: Sequence[str], loader: Loader, run: Run) -> int:
    """Runs all jobs, each in a directory of its own below ``output``; all are composed first.

    Args:
        verb: of all jobs.
        words: of the command line; values with commas, ranges or globs make the jobs.
        loader: composes them.
        run: runs one.

    Returns:
        0 if all jobs ended well, else the greatest of their exit codes.

    Raises:
        UsageError: a job cannot be composed; none has run then.
    """
    own, lines = {}, []
    for line in keyed(verb, positional_of(verb), words):
        key, _, value = line.partition("=")
        if key.startswith(("hydra.", "hydra/")):
            own[key] = line
        elif key == "output":
            own[_DIRECTORY] = f"{_DIRECTORY}={value}"
        else:
            lines.append(line)
    default = f"runs/{verb}/sweep-{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    own.setdefault(_DIRECTORY, f"{_DIRECTORY}={quoted(default)}")
    for line in _QUIET:
        own.setdefault(line.partition("=")[0], line)
    config = _master(verb, list(own.values()), loader)
    try:
        sweeper = Plugins.instance().instantiate_sweeper(
            config=config,
            hydra_context=_context(loader),
            task_function=partial(_job, verb, run, Path.cwd()),
        )
        batches = sweeper.sweep(lines)
    except HydraException as error:
        raise UsageError(f"the sweep cannot run: {str(error).strip()}") from error
    finally:
        folder = Path(config.hydra.sweep.dir)
        (folder / "multirun.yaml").unlink(missing_ok=True)
        _remove_empty(folder)
    codes = [job.return_value for batch in batches for job in batch]
    failed = sum(code != 0 for code in codes)
    note = f"; {failed} did not finish" if failed else ""
    messages.print(f"{len(codes)} jobs in {config.hydra.sweep.dir}{note}", highlight=False)
    return max(codes, default=0)


def launch(verb: str, jobs: Mapping[str, Sequence[str]], folder: Path, run: Run) -> dict[str, int]:
    """Runs jobs, each in a directory of its own, as the launcher says that the command line names.

    Args:
        verb: of all jobs.
        jobs: their words by the names of their directories.
        folder: that these are in.
        run: runs one, in whichever process.

    Returns:
        The exit codes by name.

    Raises:
        UsageError: the launcher cannot run.
    """
    _, hydra, loader = command_line()
    own = [word for word in hydra if not word.startswith(("hydra.sweep.", "hydra.sweeper"))]
    config = _master(verb, [*_QUIET, *own, f"{_DIRECTORY}={quoted(str(folder))}"], loader)
    launcher = Plugins.instance().instantiate_launcher(
        _context(loader), partial(_job, verb, run, Path.cwd()), config
    )
    lines = [[*words, f"hydra.sweep.subdir={quoted(name)}"] for name, words in jobs.items()]
    try:
        ended = launcher.launch(lines, initial_job_idx=0)
    except HydraException as error:
        raise UsageError(f"the jobs cannot run: {str(error).strip()}") from error
    return {name: job.return_value for name, job in zip(jobs, ended, strict=True)}


def command_line() -> tuple[list[str], list[str], Loader]:
    """The words that the running command was composed of, those of Hydra, and what composed them.

    Nothing, and the loader of our own YAMLs, where none is known.
    """
    if not HydraConfig.initialized():
        return [], [], loader_of()
    now = HydraConfig.get()
    folders = [one.path for one in now.runtime.config_sources if one.provider == FOLDER]
    words = [word for word in now.overrides.task if not word.startswith("hydra")]  # those of a job
    return words, list(now.overrides.hydra), loader_of(*folders)


def _master(verb: str, own: list[str], loader: Loader) -> DictConfig:
    """The configuration that launches jobs."""
    JobRuntime.instance().set("name", verb)
    config = loader.load_configuration(verb, own, RunMode.MULTIRUN)
    with open_dict(config):
        config.hydra.overrides.hydra = own
        config.hydra.job.config_name = verb
    return config


def _context(loader: Loader) -> HydraContext:
    return HydraContext(config_loader=loader, callbacks=Callbacks())


def _job(verb: str, run: Run, place: Path, config: DictConfig) -> int:
    """A job of a sweep, in whichever process it was launched; paths are those of ``place``."""
    os.chdir(place)  # joblib's processes stay in the folder in which they were started
    own = HydraConfig.get()
    folder = Path(own.sweep.dir) / str(own.sweep.subdir)
    # A verb whose output is a file keeps its record beside it.
    output = folder / Path(config.output).name if "record" in config else folder
    with open_dict(config):
        config.output = str(output)
    words = [word for word in map(str, own.overrides.task) if not word.startswith("hydra")]
    words.append(f"output={output}")
    messages.print(f"job {own.job.num}: {' '.join(words)}", highlight=False, markup=False)
    try:
        return run(verb, config, words)
    finally:
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    """Removes the directory of a job that never began."""
    with suppress(OSError):
        folder.rmdir()
