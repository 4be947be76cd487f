"""The verb ``collect``: episodes of a task into one HDF5 file, whatever the number of workers."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from armillary.experiments.command.config import to_dict
from armillary.experiments.command.console import counting
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.environments import environment_of
from armillary.experiments.planning.episode_table import show
from armillary.experiments.planning.recording import Recipe, close, record
from armillary.pool import Pool, worker_count
from armillary.suggestions import suggest
from armillary.world_models.data import EpisodeFile, EpisodeWriter, Provenance

RANDOM, UNTOLD = "random", "not told"

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Collects and returns the file's path.

    Raises:
        UsageError: there are too few episodes, or the policy or a number is not valid.
        DataError: the file exists.
    """
    splits = split_names(config.episodes, config.val, config.test)
    recipe = recipe_of(config)
    path = Path(config.out).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = EpisodeWriter(path, _provenance(config), overwrite=config.overwrite)
    progress, task = counting("collecting", config.episodes)
    workers = worker_count(config.workers, config.episodes)
    with ExitStack() as at_the_end:
        at_the_end.callback(close)
        record(recipe, 0)  # a wrong setting shows here, before any process is started
        with writer, Pool(workers) as pool, progress:
            recordings = pool.map(partial(record, recipe), range(config.episodes))
            for split, episode in zip(splits, recordings, strict=True):
                writer.add(split, episode.frames, episode.actions, episode.masks, episode.extras)
                progress.advance(task)
    log.info("wrote %s", path)
    show(EpisodeFile(path))
    return path


def split_names(episodes: int, val: float, test: float) -> list[str]:
    """The split of every episode: the first ones train, then val, then test, each at least one."""
    if not (0 <= val < 1 and 0 <= test < 1):
        raise UsageError(
            "every split needs one episode, and val and test are shares in [0, 1); "
            f"got val={val} and test={test}"
        )
    held_out = {"val": max(1, round(val * episodes)), "test": max(1, round(test * episodes))}
    train = episodes - sum(held_out.values())
    if train < 1:
        raise UsageError(
            f"episodes={episodes}, val={val} and test={test} leave {max(train, 0)} episodes to "
            "train on; every split needs one, so give at least 3 episodes and smaller shares"
        )
    return ["train"] * train + [name for name, count in held_out.items() for _ in range(count)]


def recipe_of(config: DictConfig) -> Recipe:
    """What every worker needs to know, checked."""
    policies = {RANDOM: None, **to_dict(config.task.get("policies", OmegaConf.create()))}
    if config.policy not in policies:
        raise UsageError(
            f"unknown policy {config.policy!r} of task {config.task.name!r}; "
            f"{suggest(str(config.policy), policies)}"
        )
    if not isinstance(config.length, int) or config.length < 2 or config.noise < 0:
        raise UsageError(
            "length must be a whole number of at least 2 and noise >= 0, "
            f"got {config.length!r} and {config.noise}"
        )
    recording = to_dict(config.task.get("recording", OmegaConf.create()))
    environment = {**_environment(config), **recording}
    policy = policies[config.policy]
    return Recipe(environment, policy, config.noise, config.length, config.seed)


def _environment(config: DictConfig) -> dict[str, Any]:
    size = {} if config.image_size is None else {"image_size": config.image_size}
    return {**environment_of(config), **size}


def _provenance(config: DictConfig) -> Provenance:
    """Where the file comes from. Says nothing that differs between two runs with one result."""
    environment = _environment(config)
    settings = ("episodes", "seed", "policy", "noise", "length", "image_size", "val", "test")
    given = [name for name in ("environment", *settings) if config[name] is not None]
    words = " ".join(f"{name}={config[name]}" for name in given)
    return Provenance(
        environment=environment.pop("id"),
        policy=config.policy,
        seed=config.seed,
        action_meaning=config.task.get("action_meaning", UNTOLD),
        command=f"armillary collect task={config.task.name} {words}",
        extra={
            "task": config.task.name,
            "pose_meaning": config.task.get("pose_meaning", UNTOLD),
            "noise": config.noise,
            **{f"environment_{name}": _attribute(value) for name, value in environment.items()},
        },
    )


def _attribute(value: Any) -> str | int | float | bool:
    """A setting as a file can hold it: what is no number and no text as JSON."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)
