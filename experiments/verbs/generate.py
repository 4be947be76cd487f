"""The verb ``generate``: a file of imagined videos, or of real ones drawn by a seed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from armillary.experiments.command.console import counting, results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.model_data import data_of, episodes_for, open_episodes
from armillary.experiments.evaluation.results import RESULTS, Generation
from armillary.experiments.realism.clips import draw_clips
from armillary.experiments.realism.generation import (
    GroundTruth,
    Imagined,
    Recorded,
    Source,
    entries,
    windows_of,
)
from armillary.experiments.realism.video_writer import PLACE, Attribute, VideoWriter, begun
from armillary.experiments.running.provenance import commit
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE
from armillary.world_models.data import EpisodeFile
from armillary.world_models.data.identity import CONTENT_ID, changed
from armillary.world_models.imagine import Imaginer
from armillary.world_models.validation.crowding import look

log = logging.getLogger(__name__)

GROUND_TRUTH = "ground_truth"
_LOOKED_AT = 4
"""Clips that are looked at before, for more things than slots."""
_OF_DATA = {CONTENT_ID: "data_id", "layout": "data_layout", "scale": "data_scale"}
"""The attributes that say an identity of data."""
_EXTRAS = ("slots", "masks", "ground_truth")


def run(config: DictConfig) -> Path:
    """Writes the file and returns its path.

    Raises:
        DataError: the file of episodes cannot be used, has no such split or too short episodes.
        CheckpointError: there is no usable checkpoint.
        UsageError: a number is out of range, the model does not suit the data, or the place of the
            file is taken.
        RunError: the model imagined NaN.
    """
    path = Path(config.output).expanduser()
    source, count, file, attributes = _plan(config)
    arrays = entries(source.make(np.arange(1)))  # a wrong setting shows here, before any file
    writer = VideoWriter(
        path, count, arrays, attributes, overwrite=config.overwrite, resume=config.resume
    )
    if config.resume:
        _check_begun(path, attributes, config.data.changed)
    if writer.finished:
        log.info("finished already: %s", path)
    else:
        _fill(writer, source, count, config.batch)
    told = {name: f"{[count, *shape]} {kind}" for name, (shape, kind) in arrays.items()}
    found = Generation(
        file=str(path), videos=count, arrays=told, data=data_of(file), commit=commit()
    )
    write(Path(config.record).expanduser() / RESULTS, found)
    shown = ", ".join(f"{name} {what}" for name, what in told.items())
    results.print(f"{path}  {shown}", highlight=False, markup=False, soft_wrap=True)
    return path


def _fill(writer: VideoWriter, source: Source, count: int, batch: int) -> None:
    """Makes the videos that are missing, so many at a time."""
    progress, task = counting("generating", count)
    with writer.open(), progress:
        missing = writer.missing()
        progress.advance(task, count - len(missing))
        for start in range(0, len(missing), batch):
            rows = missing[start : start + batch]
            writer.write(rows, source.make(rows))
            progress.advance(task, len(rows))


def _plan(config: DictConfig) -> tuple[Source, int, EpisodeFile, dict[str, Attribute]]:
    """What makes the videos, how many, of which episodes, and what the file says of them."""
    keys = ("checkpoint", "split", "context", "horizon", "context_frames", "rollouts", "seed")
    attributes: dict[str, Attribute] = {key: config[key] for key in (*keys, "precision")}
    attributes["commit"] = commit()
    if config.stride is not None:
        attributes["stride"] = config.stride
    if config.checkpoint == GROUND_TRUTH:
        _check_real(config)
        file = open_episodes(config.data, actions=False)
        recorded = _recorded(config, file, config.stride or 1)
        attributes |= {"model": GROUND_TRUTH, "context_frames": "recorded", **_told(file)}
        return GroundTruth(recorded), len(recorded), file, attributes
    model = load_model(config.checkpoint, config.device, config.num_slots)
    file = episodes_for(model, config.checkpoint, config.data)
    info = read_info(config.checkpoint)
    if config.num_slots is not None:
        attributes["num_slots"] = config.num_slots
    attributes |= {"model": info.model["name"], "weights_sha256": info.digests[WEIGHTS_FILE]}
    attributes |= {"hyperparameters": json.dumps(info.model["hyperparameters"]), **_told(file)}
    source = Imagined(
        _recorded(config, file, _stride(config, info.stride)),
        model,
        config.context,
        config.seed,
        keep_context=config.context_frames == "recorded",
        **{name: config[name] for name in _EXTRAS},
        precision=config.precision,
    )
    first = source.recorded.read(
        np.arange(min(_LOOKED_AT, len(source.recorded) // config.rollouts))
    )
    look(Imaginer(model, config.precision), first.frames[:, 0])
    return source, len(source.recorded), file, attributes


def _told(file: EpisodeFile) -> dict[str, Attribute]:
    """The identity of the data as attributes of a file."""
    identity = {**file.identity, "scale": json.dumps(file.identity["scale"])}
    return {PLACE: identity["path"], **{name: identity[key] for key, name in _OF_DATA.items()}}


def _check_begun(path: Path, attributes: Mapping[str, Attribute], allowed: bool) -> None:
    """Raises UsageError if a file is begun with other data, unless that is meant."""
    there, here = (
        {"path": told.get(PLACE), **{key: told.get(name) for key, name in _OF_DATA.items()}}
        for told in (begun(path), attributes)
    )
    told = changed(there, here)
    if told and not allowed:
        raise UsageError(
            f"output={path} was begun with other data: {told}. Give the data it was begun with, "
            "another output, or data.changed=true to begin anew"
        )


def _stride(config: DictConfig, trained: int) -> int:
    """The stride that a model was trained at; raises UsageError where another is asked for."""
    if config.stride not in (None, trained):
        raise UsageError(
            f"{config.checkpoint} was trained at stride {trained}, got stride={config.stride}"
        )
    return trained


def _recorded(config: DictConfig, file: EpisodeFile, stride: int) -> Recorded:
    """The clips that the seed draws."""
    windows = windows_of(file.split(config.split), config.context + config.horizon, stride)
    clips = draw_clips(len(windows.split), windows.starts, config.videos, config.seed)
    return Recorded(windows, clips, config.rollouts)


def _check_real(config: DictConfig) -> None:
    """Raises UsageError for settings that only imagined videos have."""
    if config.rollouts != 1:
        raise UsageError(f"real clips have one future: rollouts must be 1, got {config.rollouts}")
    asked = [name for name in _EXTRAS if config[name]]
    if asked:
        raise UsageError(f"{asked[0]}=true needs a model; checkpoint=ground_truth has none")
