"""What every task promises. Inherit the class and say how to make its environment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

STEPS = 6
IMAGES = ("image", "goal_image")


class Policy(Protocol):
    """Chooses the actions of collected episodes."""

    def reset(self, rng: np.random.Generator) -> None: ...
    def act(self, scene: NDArray[np.float64]) -> NDArray[np.float32]: ...


class TaskContract(ABC):
    """Inherit, name the class ``Test...`` and implement ``make``."""

    @abstractmethod
    def make(self) -> gym.Env:
        """The environment, without a limit of steps."""

    def policies(self) -> Sequence[Policy]:
        """What may collect data in it."""
        return []

    @pytest.fixture
    def env(self) -> Any:
        env = self.make()
        yield env
        env.close()

    def test_images_are_square_bytes(self, env: gym.Env) -> None:
        observation, _ = env.reset(seed=0)
        size = observation["image"].shape[0]
        for name in IMAGES:
            assert observation[name].shape == (size, size, 3)
            assert observation[name].dtype == np.uint8

    def test_actions_are_a_bounded_box(self, env: gym.Env) -> None:
        assert isinstance(env.action_space, gym.spaces.Box)
        assert len(env.action_space.shape) == 1
        assert env.action_space.is_bounded()

    def test_observations_lie_in_their_space(self, env: gym.Env) -> None:
        observation, _ = env.reset(seed=0)
        assert env.observation_space.contains(observation)
        assert env.observation_space.contains(env.step(self.actions(env)[0])[0])

    def test_info_says_how_far_the_goal_is(self, env: gym.Env) -> None:
        _, info = env.reset(seed=0)
        for told in (info, env.step(self.actions(env)[0])[-1]):
            assert isinstance(told["is_success"], bool | np.bool_)
            assert told["distance"] >= 0

    def test_problems_are_unsolved_and_differ(self, env: gym.Env) -> None:
        posed = [env.reset(seed=seed) for seed in range(10)]
        assert not any(info["is_success"] for _, info in posed)
        assert len({observation["goal_image"].tobytes() for observation, _ in posed}) > 1

    def test_seeds_determine_what_happens(self, env: gym.Env) -> None:
        assert all(
            np.array_equal(one, other)
            for one, other in zip(self.played(env), self.played(self.make()), strict=True)
        )

    def test_actions_show(self, env: gym.Env) -> None:
        assert len({image.tobytes() for image in self.played(env)}) > 1

    def test_policies_act_within_the_bounds(self, env: gym.Env) -> None:
        for policy in self.policies():
            env.reset(seed=0)
            policy.reset(np.random.default_rng(0))
            for _ in range(STEPS):
                action = policy.act(env.unwrapped.snapshot())  # type: ignore[attr-defined]
                assert env.action_space.contains(np.asarray(action, env.action_space.dtype))
                env.step(action)

    def actions(self, env: gym.Env) -> NDArray[np.float32]:
        """(STEPS, A), the same at every call."""
        space = env.action_space
        assert isinstance(space, gym.spaces.Box)
        drawn = np.random.default_rng(0).uniform(space.low, space.high, (STEPS, *space.shape))
        return drawn.astype(np.float32)

    def played(self, env: gym.Env) -> list[NDArray[np.uint8]]:
        """The images of an episode."""
        images = [env.reset(seed=3)[0]["image"]]
        return images + [env.step(action)[0]["image"] for action in self.actions(env)]
