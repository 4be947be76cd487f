"""What a folder of programs says of itself, for those who run them without this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from armillary.world_models.checkpoints.description import CheckpointInfo
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE
from armillary.world_models.exporting.making import Made
from armillary.world_models.exporting.programs import Program, Value, zero_noise_is_the_mean
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import model_config

MANIFEST = "manifest.json"
FORMAT, FORMAT_VERSION = "armillary-programs", 1


def manifest(
    model: WorldModel, info: CheckpointInfo, found: Sequence[tuple[Program, Mapping[str, Made]]]
) -> dict[str, Any]:
    """JSON-able.

    Args:
        model: in evaluation mode.
        info: of its checkpoint.
        found: what ``making.make`` gave, in its order.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": model_config(model),
        "checkpoint": {
            "path": str(info.path),
            "step": info.step,
            "sha256": info.digests[WEIGHTS_FILE],
        },
        "versions": {"torch": str(torch.__version__), "trained": info.versions},
        "device": str(model.action_mean.device),
        "image_size": model.image_size,
        "num_slots": model.num_slots,
        "context_length": model.context_length,
        "actions": {
            "size": model.action_size,
            "meaning": info.data.get("attributes", {}).get("action_meaning"),
            "stride": info.stride,
            "frameskip": info.frameskip,
            "mean": model.action_mean.tolist(),
            "std": model.action_std.tolist(),
            "scaling": "programs take actions in the environment's units and scale them; mean and "
            "std are those of the actions that the model was trained on",
        },
        "noise": {
            "shape": list(model.noise_shape),
            "zeros_are_the_mean": zero_noise_is_the_mean(model),
        },
        "programs": {program.name: _described(program, made) for program, made in found},
    }


def _described(program: Program, made: Mapping[str, Made]) -> dict[str, Any]:
    written = {name: one for name, one in made.items() if one.content}
    return {
        "meaning": program.meaning,
        "files": {name: f"{program.name}.{name}" for name in written},
        "missing": {name: one.reason for name, one in made.items() if not one.content},
        "rows": "any" if all(one.any_rows for one in written.values()) else 1,
        "inputs": [_tensor(value) for value in program.inputs],
        "outputs": [_tensor(value) for value in program.outputs],
    }


def _tensor(value: Value) -> dict[str, Any]:
    return {
        "name": value.name,
        "shape": ["N", *value.shape],
        "dtype": "float32",
        "range": None if value.range is None else list(value.range),
        "meaning": value.meaning,
    }
