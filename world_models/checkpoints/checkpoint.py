"""Saving and loading checkpoints: atomic to write, without running code to read."""

from __future__ import annotations

import io
import json
import math
import pickle
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.files import sync_folder, write_bytes
from armillary.suggestions import listed
from armillary.world_models.checkpoints.locate import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    find_checkpoint,
    previous_of,
    settled,
)
from armillary.world_models.checkpoints.origin import check_origin, origin_of
from armillary.world_models.device import resolve_device
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model, model_config

FORMAT = "armillary-checkpoint"
FORMAT_VERSION = 1
STATE_FILE = "training.pt"


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


def save_checkpoint(
    directory: str | Path,
    model: WorldModel,
    *,
    step: int,
    metrics: Mapping[str, float] | None = None,
    training: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a checkpoint; killed at any time it leaves the former one or the new one.

    Args:
        directory: the checkpoint, replaced if it is there.
        model: built by ``build_model``; all its parameters and buffers are saved.
        step: optimiser steps done.
        metrics: of the latest validation.
        training: the resolved training configuration, JSON-able.
        data: description of the training data, JSON-able.
        state: what resuming needs: nested dictionaries and lists of tensors, numbers and strings.
    """
    weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    files = {WEIGHTS_FILE: safetensors.torch.save(weights)}
    if state is not None:
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        files[STATE_FILE] = buffer.getvalue()
    described = model_config(model)
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": described,
        **origin_of(described["name"]),
        "step": step,
        "metrics": {k: v for k, v in (metrics or {}).items() if math.isfinite(v)},
        "training": dict(training or {}),
        "data": dict(data or {}),
        "versions": _versions(),
        "digests": {name: sha256(payload).hexdigest() for name, payload in files.items()},
    }
    files[CONFIG_FILE] = (json.dumps(config, indent=2, allow_nan=False) + "\n").encode()
    return _replace_directory(Path(directory), files)


def load_model(
    source: str | Path, device: str | torch.device = "cpu", num_slots: int | None = None
) -> WorldModel:
    """Rebuilds a trained model, in evaluation mode. Needs no data and runs no code from the files.

    Args:
        source: anything that ``find_checkpoint`` takes, ``pretrained/push_blocks`` say.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        num_slots: K, of models whose weights do not depend on it; None for as many as the model
            was trained with.

    Raises:
        ArmillaryError: the model cannot have that many slots.
        CheckpointError: there is none, or it is damaged, of another format version, of a model that
            is not registered or needs a plug-in that is not loaded, or its weights do not fit.
        ValueError: this machine lacks the device.
    """
    target = resolve_device(device)
    info = read_info(source)
    check_origin(info.plugin, info.model["name"], info.path)
    model = _built(info, info.model["hyperparameters"])
    if num_slots not in (None, model.num_slots):
        model = _with_slots(info, model, num_slots)
    load_weights(model, info)
    return model.to(target).eval()


def load_weights(model: WorldModel, info: CheckpointInfo) -> None:
    """Copies a checkpoint's weights and buffers into a model.

    Raises:
        CheckpointError: the file is damaged, or names or shapes differ from the model's.
    """
    try:
        weights = safetensors.torch.load(_verified(info, WEIGHTS_FILE))
    except SafetensorError as error:
        raise CheckpointError(f"{info.path / WEIGHTS_FILE} is damaged: {error}") from error
    for name in model.formerly_saved:
        weights.pop(name, None)
    differences = _differences(weights, model.state_dict())
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise CheckpointError(
            f"the weights of {info.path} do not fit {type(model).__name__} built with "
            f"{info.model['hyperparameters']}: {'; '.join(differences[:3])}{more}"
        )
    model.load_state_dict(weights)


def load_state(info: CheckpointInfo) -> dict[str, Any]:
    """What ``save_checkpoint`` was given as ``state``, on the CPU.

    Raises:
        CheckpointError: the checkpoint holds none, or it is damaged.
    """
    if STATE_FILE not in info.digests:
        raise CheckpointError(
            f"{info.path} holds weights only and cannot be resumed; resume from a run's 'last'"
        )
    payload = io.BytesIO(_verified(info, STATE_FILE))
    try:
        return torch.load(payload, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{info.path / STATE_FILE} is damaged: {error}") from error


def read_info(source: str | Path) -> CheckpointInfo:
    """Reads what a checkpoint says about itself, without its weights.

    Raises:
        CheckpointError: there is none, it is damaged, or of another format version.
    """
    path = find_checkpoint(source)
    config_path = path / CONFIG_FILE
    try:
        config = json.loads(config_path.read_bytes())
        found, found_version = config["format"], config["format_version"]
    except FileNotFoundError as error:
        raise CheckpointError(f"the checkpoint {path} lacks {CONFIG_FILE}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{config_path} is damaged: {error!r}") from error
    if (found, found_version) != (FORMAT, FORMAT_VERSION):
        raise CheckpointError(
            f"{config_path} is of format {found!r} version {found_version!r}; this version of "
            f"Armillary reads {FORMAT!r} version {FORMAT_VERSION}"
        )
    names = ("model", "step", "metrics", "training", "data", "versions", "digests")
    missing = [name for name in names if name not in config]
    if missing:
        raise CheckpointError(f"{config_path} is damaged: it lacks {listed(missing)}")
    plugin = config.get("plugin")
    if plugin is not None and not (isinstance(plugin, dict) and "module" in plugin):
        raise CheckpointError(f"{config_path} is damaged: its plugin is {plugin!r}")
    return CheckpointInfo(path=path, **{name: config[name] for name in names}, plugin=plugin)


def _built(info: CheckpointInfo, hyperparameters: Mapping[str, Any]) -> WorldModel:
    """The model of a checkpoint before its weights are loaded."""
    try:
        with torch.random.fork_rng(devices=[]):
            return build_model(info.model["name"], **hyperparameters)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"cannot rebuild the model of {info.path}: {error}") from error


def _with_slots(info: CheckpointInfo, model: WorldModel, num_slots: int) -> WorldModel:
    """The same with another number of slots; raises ArmillaryError if it cannot have it."""
    name, hyperparameters = info.model["name"], info.model["hyperparameters"]
    if "num_slots" not in hyperparameters:
        raise ArmillaryError(
            f"num_slots={num_slots}: the model {name!r} of {info.path} always has "
            f"{model.num_slots}; leave num_slots out"
        )
    try:
        changed = _built(info, {**hyperparameters, "num_slots": num_slots})
    except CheckpointError as error:
        raise ArmillaryError(f"num_slots={num_slots} for {info.path}: {error.__cause__}") from error
    if _differences(model.state_dict(), changed.state_dict()):
        raise ArmillaryError(
            f"num_slots={num_slots}: the weights of the model {name!r} of {info.path} are made for "
            f"{model.num_slots} slots; leave num_slots out"
        )
    return changed


def _verified(info: CheckpointInfo, name: str) -> bytes:
    """The content of a checkpoint's file, if it is what was written."""
    path = info.path / name
    if not path.is_file():
        raise CheckpointError(f"the checkpoint {info.path} lacks {name}")
    payload = path.read_bytes()
    if sha256(payload).hexdigest() != info.digests.get(name):
        raise CheckpointError(
            f"{path} is damaged or truncated: its {len(payload)} bytes are not those that "
            f"{CONFIG_FILE} names by SHA-256"
        )
    return payload


def _differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """One line for each name whose tensor is missing, unexpected or of another shape."""

    def shape(tensors: Mapping[str, Tensor], name: str) -> str:
        return str(tuple(tensors[name].shape)) if name in tensors else "nothing"

    names = sorted({*found, *wanted})
    pairs = [(name, shape(wanted, name), shape(found, name)) for name in names]
    return [
        f"{name!r}: the model wants {want}, the file holds {hold}"
        for name, want, hold in pairs
        if want != hold
    ]


def _replace_directory(directory: Path, files: Mapping[str, bytes]) -> Path:
    """Writes the files beside the directory, then swaps: what is there is always complete."""
    fresh = directory.with_name(f".{directory.name}.new")
    previous = previous_of(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    if settled(directory) == previous:
        previous.rename(directory)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)
    fresh.mkdir()
    for name, payload in files.items():
        write_bytes(fresh / name, payload)
    if directory.exists():
        directory.rename(previous)
    fresh.rename(directory)
    sync_folder(directory.parent)
    shutil.rmtree(previous, ignore_errors=True)
    return directory


def _versions() -> dict[str, str]:
    try:
        armillary = version("armillary")
    except PackageNotFoundError:
        armillary = "not installed"
    return {
        "armillary": armillary,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "safetensors": version("safetensors"),
    }
