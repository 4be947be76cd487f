"""The verb ``import-checkpoint``: weights of the authors' code in one of our checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.files import write_json
from armillary.world_models.checkpoints.authors import import_model
from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from armillary.world_models.checkpoints.pickled import load
from armillary.world_models.registry import model_config

log = logging.getLogger(__name__)

_ADVICE = (
    ". If you trust who made it, save its weights alone and import those: python -c "
    '"import torch; '
    "content = torch.load({!r}, weights_only=False); "
    "torch.save({{'model': content['model']}}, 'weights.pth')\""
)


def run(config: DictConfig) -> Path:
    """Writes ``OUTPUT/checkpoints/last`` and returns it.

    Raises:
        UsageError: the file cannot be read without running code, or holds no published model.
    """
    source, output = Path(config.file).expanduser(), Path(config.output).expanduser()
    if not source.is_file():
        raise UsageError(f"{source} is no file; give the .pth file of the authors' code")
    content = load(source, UsageError, _ADVICE.format(str(source)))
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
