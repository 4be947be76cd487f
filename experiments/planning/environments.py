"""Makes the environments of tasks; imports no torch, so that worker processes start fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from armillary import plugins
from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError


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
