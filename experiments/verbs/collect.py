"""The verb ``collect``: episodes of a task into one HDF5 file, whatever the number of workers."""

from __future__ import annotations

import json
import logging
import re
import shlex
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from armillary.experiments.command.config import to_dict
from armillary.experiments.command.console import counting
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.sweep import command_line
from armillary.experiments.planning.environments import environment_of
from armillary.experiments.planning.episode_table import show
from armillary.experiments.planning.recording import Recipe, close, record
from armillary.experiments.running.provenance import commit, versions
from armillary.pool import Pool, worker_count
from armillary.suggestions import suggest
from armillary.world_models.data import EpisodeFile, EpisodeWriter, Provenance
from armillary.world_models.data.pieces import (
    MADE_OF,
    digest,
    is_made_of,
    join,
    piece_path,
    waiting,
    write_piece,
)
from armillary.world_models.data.sources.source import Episode

RANDOM, UNTOLD = "random", "not told"
PIECE = 32
"""Episodes that an interruption loses at most."""

_OF_THE_TASK = re.compile(r"[+~]*(task\.[^=]+)")

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Collects and returns the file's path.

    Collected episodes wait in the folder ``.NAME.parts`` beside the file NAME until all are there,
    and are taken from it by the next run of the command.

    Raises:
        UsageError: there are too few episodes, or the policy or a number is not valid.
        DataError: the file exists.
    """
    splits = split_names(config.episodes, config.val, config.test)
    recipe = recipe_of(config)
    path = Path(config.out).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    origin = _provenance(config, recipe)
    writer = EpisodeWriter(path, origin, overwrite=config.overwrite)
    finished = not config.overwrite and is_made_of(path, str(origin.extra[MADE_OF]))
    if not finished:
        writer.check()
    with waiting(path) as folder:
        if not finished:
            pieces = _collect(recipe, origin, folder, config)
            with writer:
                for _ in join(writer, [(piece, str(path)) for piece in pieces], splits):
                    pass
    log.info("%s %s", "finished already:" if finished else "wrote", path)
    show(EpisodeFile(path))
    return path


def _collect(recipe: Recipe, origin: Provenance, folder: Path, config: DictConfig) -> list[Path]:
    """Records the pieces that are missing and returns the paths of all, in order."""
    count = config.episodes
    ranges = [range(first, min(first + PIECE, count)) for first in range(0, count, PIECE)]
    pieces = {piece_path(folder, recipe, commit(), versions(), one): one for one in ranges}
    missing = {path: one for path, one in pieces.items() if not path.exists()}
    left = list(chain.from_iterable(missing.values()))
    if len(left) < count:
        log.info("%d of %d episodes were collected before", count - len(left), count)
    progress, task = counting("collecting", count)
    progress.advance(task, count - len(left))

    def next_one(index: int) -> tuple[Episode, str]:
        one = next(recordings)
        progress.advance(task)
        return Episode(one.frames, one.actions, one.masks, one.extras), f"episode {index}"

    with ExitStack() as at_the_end:
        at_the_end.callback(close)
        if left:  # a wrong setting shows here, before any process is started
            record(recipe, left[0])
        with Pool(worker_count(config.workers, len(left))) as pool, progress:
            recordings = pool.map(partial(record, recipe), left)
            for path, indices in missing.items():
                write_piece(path, origin, map(next_one, indices))
    return list(pieces)


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
    environment = _environment(config)
    for settings in ("recording", "collection"):
        environment |= to_dict(config.task.get(settings, OmegaConf.create()))
    policy = policies[config.policy]
    return Recipe(environment, policy, config.noise, config.length, config.seed)


def _environment(config: DictConfig) -> dict[str, Any]:
    size = {} if config.image_size is None else {"image_size": config.image_size}
    return {**environment_of(config), **size}


def _of_the_task(config: DictConfig) -> list[str]:
    """The words of the command line that make the task another one than it is by itself."""
    said, _, loader = command_line()
    found = {word: match[1] for word in said if (match := _OF_THE_TASK.match(word))}
    if not found:
        return []
    usual = loader.compose("collect", [f"task={config.choices.task}", f"plugins={config.plugins}"])
    select = OmegaConf.select
    changed = [word for word, key in found.items() if select(config, key) != select(usual, key)]
    return sorted(map(shlex.quote, changed))


def _provenance(config: DictConfig, recipe: Recipe) -> Provenance:
    """Where the file comes from. Says nothing that differs between two runs with one result."""
    environment = _environment(config)
    settings = ("episodes", "seed", "policy", "noise", "length", "image_size", "val", "test")
    given = [name for name in ("environment", *settings) if config[name] is not None]
    words = [f"{name}={config[name]}" for name in given]
    words += _of_the_task(config)
    command = f"armillary collect task={config.choices.task} {' '.join(words)}"
    return Provenance(
        environment=environment.pop("id"),
        policy=config.policy,
        seed=config.seed,
        action_meaning=config.task.get("action_meaning", UNTOLD),
        command=command,
        extra={
            "task": config.task.name,
            "pose_meaning": config.task.get("pose_meaning", UNTOLD),
            "noise": config.noise,
            **{f"environment_{name}": _attribute(value) for name, value in environment.items()},
            MADE_OF: digest(command, recipe),
        },
    )


def _attribute(value: Any) -> str | int | float | bool:
    """A setting as a file can hold it: what is no number and no text as JSON."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)
