"""Opens the file of episodes that a model is shown, and says in results which one it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from armillary.experiments.command.config import to_dict
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.results import Data
from armillary.world_models.checkpoints.checkpoint import frameskip_of, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.data.identity import CONTENT_ID
from armillary.world_models.model import WorldModel


def open_episodes(data: DictConfig, *, actions: bool) -> EpisodeFile:
    """The file that a section ``data`` of a verb's configuration names, read as it says.

    Args:
        data: with ``path``, ``layout`` and ``scale``.
        actions: whether to read the actions.

    Raises:
        ArmillaryError: a setting is wrong.
        DataError: the file cannot be used.
    """
    given = to_dict(data)
    path = Path(str(given["path"])).expanduser()
    return EpisodeFile(path, actions=actions, layout=given["layout"], scale=given["scale"])


def data_of(file: EpisodeFile, former: Sequence[Mapping[str, Any]] = ()) -> Data:
    """What results say of a file of episodes; ``former`` are other data it took the place of."""
    identity = dict(file.identity)
    more = {"former": [dict(one) for one in former]} if former else {}
    return Data.model_validate({"digest": identity.pop(CONTENT_ID), **identity, **more})


def describe(episodes: EpisodeFile) -> dict[str, Any]:
    """What a checkpoint says of its data; JSON-able."""
    return {
        "file": episodes.path.name,
        **episodes.identity,
        "attributes": {name: np.asarray(v).tolist() for name, v in episodes.attributes.items()},
        "splits": {name: info.episodes for name, info in episodes.splits.items()},
    }


def episodes_for(model: WorldModel, checkpoint: str, data: DictConfig) -> EpisodeFile:
    """The episodes that ``data`` names, read without their actions for an action-free model.

    Args:
        model: that will see them.
        checkpoint: its name, for messages.
        data: see ``open_episodes``.

    Raises:
        DataError: the file cannot be used.
        UsageError: its images or actions are of another size than the model's, or it was recorded
            with another frameskip.
    """
    file = open_episodes(data, actions=model.action_size > 0)
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
