"""The verb ``import-checkpoint``: weights of the authors' code in one of our checkpoints."""

from __future__ import annotations

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.files import write_json
from armillary.world_models.checkpoints.authors import import_model
from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from armillary.world_models.registry import model_config

log = logging.getLogger(__name__)

# What torch's safe reader is seen to raise for files that are something else.
_UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def run(config: DictConfig) -> Path:
    """Writes ``OUTPUT/checkpoints/last`` and returns it.

    Raises:
        UsageError: the file cannot be read without running code, or holds no published model.
    """
    source, output = Path(config.file).expanduser(), Path(config.output).expanduser()
    content = read(source)
    try:
        model = import_model(content, name=config.name, num_slots=config.num_slots)
    except ArmillaryError as error:
        raise UsageError(f"{source}: {error}") from error
    step = int(model.get_buffer("geco.steps"))
    data = {"file": None, "imported_from": source.name}
    path = save_checkpoint(output / "checkpoints" / "last", model, step=step, data=data)
    described = model_config(model)
    write_json(output / "results.json", {"source": str(source), "step": step, "model": described})
    log.info("%s after %d steps is in %s", described["name"], step, path)
    return path


def read(path: Path) -> Mapping[str, Any]:
    """A ``torch.save`` file, of which tensors, numbers, texts and their containers are read.

    Raises:
        UsageError: it is missing or damaged, holds other objects, or is no dictionary.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file; give the .pth file of the authors' code")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise UsageError(
            f"{path} is no file of torch.save, is damaged, or holds more than tensors, numbers and "
            f"texts, which would run code when read: {reason[0]}"
        ) from error
    if not isinstance(content, Mapping):
        raise UsageError(f"{path} must hold a dictionary, got {type(content).__name__}")
    return content
