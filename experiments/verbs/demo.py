"""The verb ``demo``: collect, train, benchmark and render, and one page that shows it all."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from armillary.experiments.command.config import flatten, require, to_dict
from armillary.experiments.command.console import results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.loader import Loader
from armillary.experiments.command.stored import read, write
from armillary.experiments.command.sweep import command_line
from armillary.experiments.command.verbs import written
from armillary.experiments.evaluation.results import RESULTS, Demonstration, Training
from armillary.experiments.pages.demo import Phase, demo_page, in_demo, render_page
from armillary.experiments.running.run_directory import RECORD, recorded
from armillary.files import write_text
from armillary.locks import locked
from armillary.reading import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A phase that is still to be run.

    Attributes:
        verb: what runs.
        words: its command line.
        config: what they compose to; ``output`` is its directory.
    """

    verb: str
    words: list[str]
    config: DictConfig


def run(config: DictConfig) -> Path:
    """Runs every phase that is not finished yet, and returns the page's path.

    Raises:
        UsageError: an option of a phase is wrong; nothing has been run then.
        Exception: whatever a phase raises.
    """
    output = Path(config.output).expanduser()
    jobs = jobs_of(config)
    phases = []
    for number, job in enumerate(jobs, 1):
        headline = f"[{number}/{len(jobs)}] {job.verb}"
        directory = Path(job.config.output)
        done = _record(directory).get("status") == "finished"
        if done:
            with locked(directory, "demo"):  # one that was killed at its end has left its lock
                pass
        else:
            log.info("%s", headline)
            with recorded(job.verb, job.config, job.words):
                importlib.import_module(f"armillary.experiments.verbs.{job.verb}").run(job.config)
        record = _record(directory)
        phases.append(Phase(job.verb, directory, record["command"], _seconds(record)))
        log.info("%s: %s %s", headline, "had taken" if done else "took", phases[-1].duration)
    page = output / "index.html"
    command = _record(output)["command"]
    content = demo_page(phases, command, OmegaConf.to_yaml(config, resolve=True))
    write_text(page, render_page(content))
    write(output / RESULTS, Demonstration(**{phase.verb: phase.seconds for phase in phases}))
    for remark in read(Path(jobs[1].config.output) / RESULTS, Training).remarks:
        log.warning("%s", in_demo(remark))
    _show(page, phases)
    return page


def jobs_of(config: DictConfig) -> list[Job]:
    """The four phases, composed and checked."""
    output = Path(config.output).expanduser()
    data, trained = output / "data" / "episodes.h5", output / "train"
    benchmark = to_dict(config.benchmark)
    simulators = [*benchmark.pop("simulators"), str(trained)]
    loader = command_line()[2]
    posed = _posed(config, loader)
    exact = {"deterministic": config.deterministic}
    options: dict[str, dict[str, Any]] = {
        "collect": {**to_dict(config.collect), "out": data, "output": data.parent},
        "train": {**exact, **to_dict(config.train), "data.path": data, "output": trained},
        "benchmark": {
            **exact,
            **benchmark,
            "simulators": simulators,
            "output": output / "benchmark",
        },
        "render": {
            **exact,
            **to_dict(config.render),
            "checkpoint": trained,
            "data.path": data,
            "output": output / "render",
        },
    }
    jobs = []
    for verb, values in options.items():
        words = _words({**values, "seed": config.seed, **_plugins(config)})
        words = words if verb == "train" else [*posed, *words]
        job = Job(verb, words, loader.compose(verb, words))
        require(job.config)
        jobs.append(job)
    return jobs


def _posed(config: DictConfig, loader: Loader) -> list[str]:
    """The words that pose the demo's task: which, and what was said of it."""
    words = [f"task={config.choices.task}"]
    usual = loader.compose("collect", [*words, *_words(_plugins(config))]).task
    was, now = (flatten(OmegaConf.to_container(task)) for task in (usual, config.task))
    said = {key: OmegaConf.select(config.task, key) for key in now if now[key] != was.get(key, ...)}
    words += [f"{'' if key in was else '+'}task.{key}={written(said[key])}" for key in said]
    return words + [f"~task.{key}" for key in was if key not in now]


def _plugins(config: DictConfig) -> dict[str, Any]:
    return {"plugins": list(config.plugins)} if config.plugins else {}


def _words(values: dict[str, Any]) -> list[str]:
    return [f"{key}={written(value)}" for key, value in flatten(values).items()]


def _record(directory: Path) -> dict[str, Any]:
    """What a run wrote about itself; nothing before it was started."""
    path = directory / RECORD
    return read_json(path, UsageError) if path.is_file() else {}


def _seconds(record: dict[str, Any]) -> float:
    started, ended = (datetime.fromisoformat(record[name]) for name in ("started", "ended"))
    return (ended - started).total_seconds()


def _show(page: Path, phases: list[Phase]) -> None:
    lines = [("page", page), *((phase.verb, phase.directory) for phase in phases)]
    for name, path in lines:
        results.print(f"{name:<10} {path}", highlight=False, soft_wrap=True)
