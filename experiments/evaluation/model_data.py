"""Opens the file of episodes that a trained model is shown."""

from __future__ import annotations

from pathlib import Path

from armillary.experiments.command.errors import UsageError
from armillary.world_models.checkpoints.checkpoint import frameskip_of, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import WorldModel


def episodes_for(model: WorldModel, checkpoint: str, path: str | Path) -> EpisodeFile:
    """The episodes in ``path``, read without their actions for an action-free model.

    Args:
        model: that will see them.
        checkpoint: its name, for messages.
        path: of the file (.h5).

    Raises:
        DataError: the file cannot be used.
        UsageError: its images or actions are of another size than the model's, or it was recorded
            with another frameskip.
    """
    file = EpisodeFile(Path(path).expanduser(), actions=model.action_size > 0)
    for what, wanted, found in (
        ("image size", model.image_size, file.image_size),
        ("action size", model.action_size, file.action_size),
    ):
        if wanted != found:
            raise UsageError(
                f"the model of {checkpoint} was trained on {what} {wanted}, "
                f"{file.path} has {what} {found}; choose data of the model's kind"
            )
    trained, recorded = read_info(checkpoint).frameskip, frameskip_of(file.attributes)
    if trained != recorded:
        raise UsageError(
            f"the model of {checkpoint} was trained on frameskip {trained}, {file.path} has "
            f"frameskip {recorded}; choose data of the model's kind"
        )
    return file


def at(stride: int) -> str:
    """How a message says the stride; nothing for 1."""
    return "" if stride == 1 else f" at the model's stride {stride}"
