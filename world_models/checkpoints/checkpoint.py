"""Saving and loading checkpoints: atomic to write, without running code to read."""

from __future__ import annotations

import io
import json
import math
import platform
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
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
from armillary.numbers import is_whole
from armillary.reading import reading
from armillary.world_models.checkpoints import pickled
from armillary.world_models.checkpoints.description import (
    DESCRIBED,
    FORMAT,
    FORMAT_VERSION,
    CheckpointInfo,
    digest_of,
    frameskip_of,
    read_info,
)
from armillary.world_models.checkpoints.locate import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    previous_of,
    settled,
)
from armillary.world_models.checkpoints.origin import check_origin, origin_of
from armillary.world_models.checkpoints.weights import (
    MisfitError,
    built,
    check_finite,
    differences,
    outline,
)
from armillary.world_models.device import placed, resolve_device
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import model_config

__all__ = [
    "CheckpointInfo",
    "frameskip_of",
    "load_model",
    "load_state",
    "load_weights",
    "read_info",
    "save_checkpoint",
]

STATE_FILE = "training.pt"


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
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    described = model_config(model)
    config: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": described,
        **origin_of(described["name"]),
        "step": step,
        "metrics": {k: v for k, v in (metrics or {}).items() if math.isfinite(v)},
        "training": dict(training or {}),
        "data": dict(data or {}),
        "versions": _versions(),
    }
    files = {WEIGHTS_FILE: safetensors.torch.save(weights, {DESCRIBED: digest_of(config)})}
    if state is not None:
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        files[STATE_FILE] = buffer.getvalue()
    config["digests"] = {name: sha256(payload).hexdigest() for name, payload in files.items()}
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
    weights = _weights(info)
    hyperparameters = _fitting(info, weights, num_slots)
    with _rebuilding(info):
        model = built(info.model["name"], hyperparameters)
    _put(weights, model, info)
    return placed(model, target).eval()


def load_weights(model: WorldModel, info: CheckpointInfo) -> None:
    """Copies a checkpoint's weights and buffers into a model.

    Raises:
        CheckpointError: the file is damaged, holds NaN, or names or shapes differ from the model's.
    """
    _put(_weights(info), model, info)


def load_state(info: CheckpointInfo) -> dict[str, Any]:
    """What ``save_checkpoint`` was given as ``state``, on the CPU.

    Raises:
        CheckpointError: the checkpoint holds none, or it is damaged.
    """
    if STATE_FILE not in info.digests:
        raise CheckpointError(
            f"{info.path} holds weights only and cannot be resumed; resume from a run's 'last'"
        )
    _verified(info, STATE_FILE)
    return dict(pickled.load(info.path / STATE_FILE, CheckpointError))


def _rebuilding(info: CheckpointInfo) -> AbstractContextManager[None]:
    """Turns what a model's class raises for values of a checkpoint into a CheckpointError."""
    return reading(info.path, "cannot rebuild the model", CheckpointError)


def _weights(info: CheckpointInfo) -> dict[str, Tensor]:
    """The tensors of a checkpoint, which take no more memory than the file."""
    payload = _verified(info, WEIGHTS_FILE)
    with reading(info.path / WEIGHTS_FILE, "is damaged", CheckpointError, SafetensorError):
        return safetensors.torch.load(payload)


def _put(weights: dict[str, Tensor], model: WorldModel, info: CheckpointInfo) -> None:
    """Copies weights into a model that they fit."""
    _check_fit(weights, model, info)
    with reading(info.path / WEIGHTS_FILE, "cannot be used", CheckpointError):
        check_finite(weights, info.path / WEIGHTS_FILE, dict(model.named_buffers()))
        model.load_state_dict(weights)


def _check_fit(weights: dict[str, Tensor], model: WorldModel, info: CheckpointInfo) -> None:
    """Raises CheckpointError unless names and shapes are the model's."""
    for name in model.formerly_saved:
        weights.pop(name, None)
    found = differences(weights, model.state_dict())
    if found:
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        raise MisfitError(
            f"the weights of {info.path} do not fit {type(model).__name__} built with "
            f"{info.model['hyperparameters']}",
            f"{'; '.join(found[:3])}{more}",
        )


def _fitting(
    info: CheckpointInfo, weights: dict[str, Tensor], num_slots: int | None
) -> dict[str, Any]:
    """The hyperparameters of a model that the weights fit, with that many slots.

    Raises:
        ArmillaryError: the model cannot have that many slots.
        CheckpointError: the weights do not fit.
    """
    name, hyperparameters = info.model["name"], info.model["hyperparameters"]
    with _rebuilding(info):
        try:
            model = outline(name, hyperparameters, len(weights))
        except RuntimeError as error:
            if info.plugin is None or "meta" not in str(error):
                raise
            model = built(name, hyperparameters)  # a class may read its own weights, not on meta
    _check_fit(weights, model, info)
    whole = is_whole(num_slots)
    if not (num_slots is None or (whole and num_slots >= 1)):
        raise ArmillaryError(
            f"num_slots must be a whole number of at least 1, or None for as many as {info.path} "
            f"has, got {num_slots!r}"
        )
    if num_slots in (None, model.num_slots):
        return hyperparameters
    if "num_slots" not in hyperparameters:
        raise ArmillaryError(
            f"num_slots={num_slots}: the model {name!r} of {info.path} always has "
            f"{model.num_slots}; leave num_slots out"
        )
    changed = {**hyperparameters, "num_slots": int(num_slots)}
    with reading(info.path, f"num_slots={num_slots} cannot be"):
        other = outline(name, changed, len(weights))
    if differences(weights, other.state_dict()):
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
