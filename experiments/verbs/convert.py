"""The verb ``convert``: a published data set into one HDF5 file, in parallel and resumable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from armillary.experiments.command.config import build, flatten, to_dict
from armillary.experiments.command.console import counting
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.verbs import quoted
from armillary.experiments.planning.episode_table import show
from armillary.pool import Pool, worker_count
from armillary.world_models.data import EpisodeFile, EpisodeWriter, Provenance
from armillary.world_models.data.conversion import (
    assign_splits,
    content_of,
    convert_part,
    part_path,
)
from armillary.world_models.data.pieces import MADE_OF, digest, is_made_of, join, waiting
from armillary.world_models.data.sources.source import Part, Source

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Converts and returns the file's path.

    Converted parts wait in the folder ``.NAME.parts`` beside the file NAME until all are there,
    and are taken from it by the next run of the command.

    Raises:
        UsageError: a share or setting is not valid.
        DataError: the file exists, or the data set cannot be read.
        RunError: a worker process died.
    """
    shares = {"val": config.val, "test": config.test}
    if not all(0 <= share < 1 for share in shares.values()):
        raise UsageError(f"val and test must be shares in [0, 1), got {config.val}, {config.test}")
    source: Source = build(config.source, path=Path(config.input).expanduser().resolve())
    parts = source.parts()
    path = Path(config.out).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    origin = _provenance(config, content_of(parts))
    writer = EpisodeWriter(path, origin, overwrite=config.overwrite)
    finished = not config.overwrite and is_made_of(path, str(origin.extra[MADE_OF]))
    if not finished:
        writer.check()
    with waiting(path) as folder:
        if not finished:
            counts = _convert(source, parts, folder, config.workers)
            splits = assign_splits(parts, counts, shares)
            pieces = [(part_path(source, part, folder), str(part.path)) for part in parts]
            progress, task = counting("merging", len(splits))
            with writer, progress:
                for _ in join(writer, pieces, splits):
                    progress.advance(task)
    log.info("%s %s", "finished already:" if finished else "wrote", path)
    show(EpisodeFile(path))
    return path


def _convert(source: Source, parts: Sequence[Part], folder: Path, workers: int) -> list[int]:
    """Converts the parts that are missing and returns how many episodes each has."""
    missing = sum(not part_path(source, part, folder).exists() for part in parts)
    if missing < len(parts):
        log.info("%d of %d parts were converted before", len(parts) - missing, len(parts))
    progress, task = counting("converting", len(parts))
    counts = []
    hint = "the same command continues, and with fewer workers it needs less memory"
    with Pool(worker_count(workers, len(parts)), hint=hint) as pool, progress:
        found = pool.map(partial(convert_part, source, folder=folder), parts)
        for part, count in zip(parts, found, strict=True):
            if part.expected not in (None, count):
                log.warning("%s holds %d episodes, by its name %d", part.path, count, part.expected)
            counts.append(count)
            progress.advance(task)
    return counts


def _provenance(config: DictConfig, content: str) -> Provenance:
    """Where the file comes from; names no folder, so that every machine writes the same file."""
    settings = to_dict(config.source)
    own = {k: v for k, v in settings.items() if k not in _DESCRIBED and v is not None}
    options = [f"source.{key}={value}" for key, value in flatten(own).items()]
    name = Path(config.input).expanduser().resolve().name
    words = [f"source={config.choices.source}", f"input={quoted(name)}", *options]
    shares = [f"val={config.val}", f"test={config.test}"]
    command = f"armillary convert {' '.join([*words, *shares])}"
    return Provenance(
        environment=config.source.name,
        policy=config.source.policy,
        seed=config.seed,
        action_meaning=config.source.action_meaning,
        command=command,
        extra={
            **{key: value for key, value in own.items() if key not in _OF_READING},
            MADE_OF: digest(command, settings, content),
        },
    )


_DESCRIBED = ("_target_", "name", "policy", "action_meaning")
"""Settings of a source that the attributes of every file say already."""
_OF_READING = ("layout", "scale")
"""Settings that say how the data set is stored, and nothing of the file that is written."""
