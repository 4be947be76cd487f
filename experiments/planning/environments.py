"""Makes the environments of tasks; imports no torch, so that worker processes start fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from omegaconf import DictConfig

from armillary import plugins
from armillary.errors import ArmillaryError
from armillary.experiments.command.config import to_dict
from armillary.experiments.command.errors import UsageError
from armillary.spaces import vectors


@dataclass(frozen=True)
class Shapes:
    """What a model must suit.

    Attributes:
        action_space: as the environment has it.
        image_size: H = W in pixels, None where the environment does not say.
    """

    action_space: spaces.Space[Any]
    image_size: int | None


def make_environment(environment: Mapping[str, Any], max_steps: int) -> gym.Env:
    """An environment that truncates by itself.

    Args:
        environment: ``id`` and keyword arguments.
        max_steps: steps until it truncates.

    Raises:
        UsageError: there is no such environment, or it does not take the arguments.
    """
    plugins.load()  # a worker process has not yet
    try:
        return gym.make(**environment, max_episode_steps=max_steps, disable_env_checker=True)
    except ArmillaryError:
        raise
    except (gym.error.Error, ImportError, TypeError, ValueError) as error:
        raise UsageError(f"cannot make the environment {dict(environment)}: {error}") from error


def environment_of(config: DictConfig) -> dict[str, Any]:
    """The ``id`` and the keyword arguments of a task's environment.

    Raises:
        UsageError: the task's settings lack it, or another is named than the task's own.
    """
    task = config.task
    if "id" not in task.get("environment", {}):
        raise UsageError(f"the settings of task {task.name!r} must have 'environment.id'")
    named = config.get("environment")
    if named is not None and "env" not in task.environment:
        raise UsageError(
            f"environment={named} goes with task=image_goal; task {task.name!r} has its own, "
            f"{task.environment.id}"
        )
    return to_dict(task.environment)


def shapes_of(env: gym.Env) -> Shapes:
    """Reads an environment's spaces, and closes it.

    Raises:
        UsageError: its actions are no vectors and no choices.
    """
    try:
        vectors(env.action_space)
    except ArmillaryError as error:
        raise UsageError(f"{env.unwrapped}: {error}") from error
    finally:
        env.close()
    seen = env.observation_space
    image = seen.spaces.get("image") if isinstance(seen, spaces.Dict) else None
    return Shapes(env.action_space, image.shape[0] if image and image.shape else None)
