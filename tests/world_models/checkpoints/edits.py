"""Checkpoints as somebody changes them who makes the digests fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
import torch


def edit_config(checkpoint: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes a description."""
    path, weights = checkpoint / "config.json", checkpoint / "model.safetensors"
    config = json.loads(path.read_text())
    payload = safetensors.torch.save(safetensors.torch.load(weights.read_bytes()))
    weights.write_bytes(payload)
    config["digests"]["model.safetensors"] = sha256(payload).hexdigest()
    change(config)
    path.write_text(json.dumps(config))


def replace_weights(checkpoint: Path, weights: dict[str, torch.Tensor]) -> None:
    """Swaps the weights for others that are not damaged."""
    (checkpoint / "model.safetensors").write_bytes(safetensors.torch.save(weights))
    edit_config(checkpoint, lambda config: None)
