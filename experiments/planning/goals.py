"""What is asked of a planner: the goal reader of a configuration, and who judges its success."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from armillary.agent.placed_objects import PlacedObjects, tells_places
from armillary.experiments.command.config import build, to_dict
from armillary.experiments.command.errors import UsageError
from armillary.pictures import STILLS, opened
from armillary.world_models.goals.reader import GoalReader
from armillary.world_models.simulator import Simulator

BY_TASK, BY_TRUTH, BY_MODEL = "task", "true places", "places seen by the model"


def reader_of(section: DictConfig) -> GoalReader:
    """The goal reader; files of masks are read.

    Raises:
        UsageError: a file cannot be read, or the values do not suit the reader.
    """
    items = to_dict(section).get("items")
    if not isinstance(items, list):
        return build(section)
    return build(section, items=[_with_mask(item) for item in items])


def posed(
    make_env: Callable[[], gym.Env], reader: Any, simulator: Simulator | None
) -> tuple[Callable[[], gym.Env], str]:
    """The environment that poses a reader's problems, and what its success is judged by.

    Raises:
        ArmillaryError: nothing can judge it.
    """
    if not reader.own_problem:
        return make_env, BY_TASK
    env = PlacedObjects(make_env(), reader, simulator)  # says what is missing before anything runs
    judge = BY_TRUTH if tells_places(env) else BY_MODEL
    env.close()
    return lambda: PlacedObjects(make_env(), reader, simulator), judge


def _with_mask(item: Any) -> Any:
    if not (isinstance(item, dict) and isinstance(item.get("mask"), str)):
        return item
    return {**item, "mask": _image(item["mask"])}


def _image(given: str) -> NDArray[Any]:
    path = Path(given).expanduser()
    if not path.is_file():
        raise UsageError(f"mask={given} is no image: there is no such file")
    with opened(path, STILLS, UsageError) as image:
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)
