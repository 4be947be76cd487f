"""Weights in a checkpoint and the model that they are for: compared before it takes any memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules import module

from armillary.suggestions import listed
from armillary.world_models.checkpoints.locate import CheckpointError
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model

_SPARE = 1000
"""How many more tensors than its file a model may have: those that are not saved."""
_HEADER = 8
"""Bytes of the length that a file of safetensors begins with."""


class MisfitError(CheckpointError):
    """A checkpoint's weights have other names or shapes than a model's; ``reason`` says which."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.reason = reason


def built(name: str, hyperparameters: Mapping[str, Any]) -> WorldModel:
    """A model whose weights will be replaced; no random number is drawn from the caller's.

    Raises:
        ArmillaryError: see ``build_model``.
    """
    with torch.random.fork_rng(devices=[]):
        return build_model(name, **hyperparameters)


def outline(name: str, hyperparameters: Mapping[str, Any], weights: int) -> WorldModel:
    """A model that has shapes and no memory (on the device meta), whatever its sizes.

    Args:
        name: of the model.
        hyperparameters: of it.
        weights: how many tensors there are for it; one with far more is not built to its end.

    Raises:
        ArmillaryError: see ``build_model``; or it has far more tensors than ``weights``.
        Exception: what the class raises for values that it does not check.
    """
    left = 2 * weights + _SPARE

    def count(owner: object, key: str, value: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise CheckpointError(f"the model {name!r} has far more tensors than the {weights}")

    with ExitStack() as hooks:
        for register in (
            module.register_module_parameter_registration_hook,
            module.register_module_buffer_registration_hook,
        ):
            hooks.callback(register(count).remove)
        with torch.device("meta"):
            return built(name, hyperparameters)


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
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


def check_finite(
    weights: Mapping[str, Tensor], where: Path | str, buffers: Collection[str] = ()
) -> None:
    """Raises CheckpointError that names the tensors with NaN or infinite numbers.

    Args:
        weights: on the CPU.
        where: they are from, for the message.
        buffers: names of those that may hold infinities, as masks do.
    """
    broken = [
        name
        for name, tensor in ((name, _testable(tensor)) for name, tensor in weights.items())
        if not (tensor.isnan().logical_not() if name in buffers else tensor.isfinite()).all()
    ]
    if broken:
        raise CheckpointError(
            where,
            f"NaN or infinite numbers in {len(broken)} of {len(weights)} tensors: "
            f"{listed(broken)}; the training diverged, take an earlier checkpoint",
        )


def _testable(tensor: Tensor) -> Tensor:
    """The same numbers in a type in which torch can tell whether they are finite."""
    return tensor.float() if tensor.is_floating_point() and tensor.itemsize == 1 else tensor


def metadata(path: Path) -> dict[str, Any]:
    """What a file of safetensors says beside its tensors; empty where it says nothing readable."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(_HEADER), "little")
            header = json.loads(file.read(min(length, path.stat().st_size)))
            said = header.get("__metadata__", {})
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}  # what is wrong with the file is told when its tensors are read
    return said if isinstance(said, dict) else {}
