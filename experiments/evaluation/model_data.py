"""Opens the file of episodes that a trained model is shown."""

from __future__ import annotations

from pathlib import Path

from armillary.experiments.command.errors import UsageError
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
        UsageError: its images or actions are of another size than the model's.
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
    return file
