"""What a checkpoint says about itself: read and checked without its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from armillary.errors import shortened
from armillary.reading import read_json, reading
from armillary.suggestions import listed
from armillary.world_models.checkpoints.locate import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    find_checkpoint,
)
from armillary.world_models.checkpoints.weights import metadata

FORMAT = "armillary-checkpoint"
FORMAT_VERSION = 1
DESCRIBED = "description_sha256"
"""Where the weights name the rest of the description, which names them."""
_FIELDS = {
    "model": dict,
    "step": int,
    "metrics": dict,
    "training": dict,
    "data": dict,
    "versions": dict,
    "digests": dict,
}
"""What a description must have, and of what kind."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says about itself.

    Attributes:
        path: its directory.
        model: ``{"name": ..., "hyperparameters": {...}}``, what ``build_model`` takes.
        step: optimiser steps done.
        metrics: of the last validation before it, those that were finite.
        training: the resolved training configuration.
        data: description of the training data.
        versions: of Python and the libraries that wrote it.
        digests: SHA-256 of each other file, by file name.
        plugin: what the model's class comes from, as ``plugins.origin`` says it; None if from here.
    """

    path: Path
    model: dict[str, Any]
    step: int
    metrics: dict[str, float]
    training: dict[str, Any]
    data: dict[str, Any]
    versions: dict[str, str]
    digests: dict[str, str]
    plugin: dict[str, str | None] | None = None

    @property
    def stride(self) -> int:
        """Recorded frames from one of the model's to the next, as the last stage learned them."""
        stages = self.training.get("stages") or [{}]
        return int(stages[-1].get("stride", 1))

    @property
    def frameskip(self) -> int:
        """How often the environment took each recorded action; 1 where the data do not say."""
        return frameskip_of(self.data.get("attributes", {}))


def frameskip_of(attributes: Mapping[str, Any]) -> int:
    """How often the environment of a file of episodes took each action, by its attributes."""
    return int(attributes.get("environment_frameskip", 1))


def read_info(source: str | Path) -> CheckpointInfo:
    """Reads what a checkpoint says about itself, without its weights.

    Raises:
        CheckpointError: there is none, it is damaged, or of another format version.
    """
    path = find_checkpoint(source)
    config_path = path / CONFIG_FILE
    if not config_path.is_file():
        raise CheckpointError(f"the checkpoint {path} lacks {CONFIG_FILE}")
    config = read_json(config_path, CheckpointError)
    found = (config.get("format"), config.get("format_version"))
    if found != (FORMAT, FORMAT_VERSION):
        raise CheckpointError(
            f"{config_path} is of format {found[0]!r} version {found[1]!r}; this version of "
            f"Armillary reads {FORMAT!r} version {FORMAT_VERSION}"
        )
    missing = [name for name in _FIELDS if name not in config]
    if missing:
        raise CheckpointError(f"{config_path} is damaged: it lacks {listed(missing)}")
    named = metadata(path / WEIGHTS_FILE).get(DESCRIBED)  # not in those of before it was kept
    if named not in (None, digest_of(config)):
        raise CheckpointError(
            f"{config_path} is damaged or was edited: {WEIGHTS_FILE} names another one by SHA-256"
        )
    plugin = config.get("plugin")
    if plugin is not None and not (isinstance(plugin, dict) and "module" in plugin):
        raise CheckpointError(f"{config_path} is damaged: its plugin is {plugin!r}")
    with reading(config_path, "is damaged", CheckpointError):
        info = CheckpointInfo(path, **{name: config[name] for name in _FIELDS}, plugin=plugin)
        _check(info)
    return info


def _check(info: CheckpointInfo) -> None:
    """Raises what says that an entry is of another kind than it is read as."""
    for name, kind in _FIELDS.items():
        if not isinstance(getattr(info, name), kind):
            raise TypeError(f"{name!r} is {shortened(repr(getattr(info, name)), 60)}")
    for name, kind in {"name": str, "hyperparameters": dict}.items():
        if not isinstance(info.model[name], kind):
            raise TypeError(f"the model's {name!r} is {shortened(repr(info.model[name]), 60)}")
    if min(info.stride, info.frameskip) < 1:
        raise ValueError(f"stride {info.stride} and frameskip {info.frameskip} must be at least 1")


def digest_of(config: Mapping[str, Any]) -> str:
    """SHA-256 of what a checkpoint says of itself but for its files, however it is laid out."""
    described = {name: value for name, value in config.items() if name != "digests"}
    described = json.loads(json.dumps(described))  # keys are texts, in the file and before
    return sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
