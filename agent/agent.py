"""The agent contract, and the two agents that need no simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.spaces import uniform, vectors
from armillary.world_models.simulator import Observation


class Agent(Protocol):
    """Acts in B episodes in step with each other.

    An episode's actions depend on its own observations and seed, never on who shares the batch.
    """

    def reset(self, seeds: Sequence[int], /) -> None:
        """Starts B episodes; ``seeds`` has one entry for each."""
        ...

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_], /
    ) -> NDArray[np.float32]:
        """Chooses an action for every episode that still runs.

        Args:
            observations: B observations, the last known one of an episode that has ended.
            active: (B,) which episodes still run.

        Returns:
            (B, A) within the action space, one-hot where it is discrete (``armillary.spaces``);
            zeros for episodes that have ended.
        """
        ...


class NoopAgent:
    """Does nothing: the floor that shows whether episodes start solved.

    Its zeros are the first option of discrete actions.

    Args:
        action_space: of one environment.
    """

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self._size = vectors(action_space).shape[0]

    def reset(self, seeds: Sequence[int]) -> None:
        """Nothing to forget."""

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Zeros (B, A)."""
        return np.zeros((len(observations), self._size), np.float32)


class RandomAgent:
    """Draws uniform actions: the floor that shows what chance achieves.

    Args:
        action_space: of one environment.
    """

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self._space = vectors(action_space)
        self._generators: list[np.random.Generator] = []

    def reset(self, seeds: Sequence[int]) -> None:
        """One generator per episode."""
        self._generators = [np.random.default_rng(seed) for seed in seeds]

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Uniform within the action space, (B, A)."""
        drawn = [uniform(self._space, generator) for generator in self._generators]
        return np.where(active[:, None], np.stack(drawn), 0.0).astype(np.float32)
