"""What every task promises. Inherit the class and say how to make its environment.

What an environment need not have is tested where it has it. ``RecordableContract`` is for whatever
episodes are recorded in, ``TaskContract`` for what can be
planned in, and ``SimulatedContract`` beside it for what can be saved, brought back and simulated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.envs.task import Policy, member
from armillary.spaces import native, uniform, vectors

STEPS = 6


class RecordableContract(ABC):
    """Inherit, name the class ``Test...`` and implement ``make``; see ``envs.task.Recordable``."""

    images: ClassVar[tuple[str, ...]] = ("image",)

    @abstractmethod
    def make(self) -> gym.Env:
        """The environment, without a limit of steps."""

    def policies(self) -> Sequence[Policy]:
        """What may collect data in it."""
        return []

    @pytest.fixture
    def env(self) -> Iterator[Any]:
        env = self.make()
        yield env
        env.close()

    def test_images_are_square_bytes(self, env: gym.Env) -> None:
        observation, _ = env.reset(seed=0)
        size = observation["image"].shape[0]
        for name in self.images:
            assert observation[name].shape == (size, size, 3)
            assert observation[name].dtype == np.uint8

    def test_actions_are_bounded_vectors_or_choices(self, env: gym.Env) -> None:
        assert isinstance(env.action_space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete)
        assert len(env.action_space.shape or ()) <= 1
        assert vectors(env.action_space).is_bounded()

    def test_observations_lie_in_their_space(self, env: gym.Env) -> None:
        observation, _ = env.reset(seed=0)
        assert env.observation_space.contains(observation)
        assert env.observation_space.contains(env.step(self.actions(env)[0])[0])

    def test_poses_are_numbers(self, env: gym.Env) -> None:
        observation = env.reset(seed=0)[0]
        if "observation" not in observation:
            pytest.skip("it tells no poses")
        poses = observation["observation"]
        assert poses.ndim == 1
        assert poses.dtype.kind == "f"
        assert np.isfinite(poses).all()

    def test_seeds_determine_what_happens(self, env: gym.Env) -> None:
        again = self.make()
        for one, other in zip(self.played(env), self.played(again), strict=True):
            assert np.array_equal(one, other)
        again.close()

    def test_scenes_differ(self, env: gym.Env) -> None:
        assert len({env.reset(seed=seed)[0]["image"].tobytes() for seed in range(5)}) > 1

    def test_something_moves(self, env: gym.Env) -> None:
        """By uniform actions, or by those of a policy where uniform ones hardly ever do."""
        images = {image.tobytes() for image in self.played(env)}
        core: Any = env.unwrapped
        for policy in self.policies():
            env.reset(seed=3)
            policy.reset(np.random.default_rng(0))
            for _ in range(STEPS):
                seen = env.step(policy.act(core.snapshot()))[0]
                images.add(seen["image"].tobytes())
        assert len(images) > 1

    def test_a_step_ends_nothing_by_itself(self, env: gym.Env) -> None:
        env.reset(seed=0)
        _, reward, _, truncated, _ = env.step(self.actions(env)[0])
        assert np.isfinite(float(reward))
        assert not truncated

    def test_snapshots_are_flat_numbers_of_one_length(self, env: gym.Env) -> None:
        core = self.having(env, "snapshot")
        env.reset(seed=0)
        before = core.snapshot()
        kept = before.copy()
        env.step(self.actions(env)[0])
        assert before.ndim == 1
        assert before.dtype == np.float64
        assert core.snapshot().shape == before.shape
        assert np.array_equal(before, kept), "a snapshot is a copy"

    def test_labels_are_those_of_the_image(self, env: gym.Env) -> None:
        core = self.having(env, "segmentation")
        observation, _ = env.reset(seed=0)
        labels = core.segmentation()
        assert labels.shape == observation["image"].shape[:2]
        assert labels.dtype == np.uint8
        assert labels.max() > 0

    def test_policies_act_within_the_bounds(self, env: gym.Env) -> None:
        core: Any = env.unwrapped
        for policy in self.policies():
            env.reset(seed=0)
            policy.reset(np.random.default_rng(0))
            for _ in range(STEPS):
                action = policy.act(core.snapshot())
                assert env.action_space.contains(np.asarray(action, env.action_space.dtype))
                env.step(action)

    def test_a_generator_determines_what_a_policy_does(self, env: gym.Env) -> None:
        core: Any = env.unwrapped
        env.reset(seed=0)
        for policy in self.policies():
            drawn = []
            for _ in range(2):
                policy.reset(np.random.default_rng(1))
                drawn.append(np.stack([policy.act(core.snapshot()) for _ in range(3)]))
            assert np.array_equal(*drawn)

    def having(self, env: gym.Env, name: str) -> Any:
        """The environment itself, unless it lacks a member that it need not have."""
        if member(env, name) is None:
            pytest.skip(f"it has no {name}")
        return env.unwrapped

    def actions(self, env: gym.Env) -> list[Any]:
        """STEPS of them, the same at every call."""
        coded, rng = vectors(env.action_space), np.random.default_rng(0)
        return [native(env.action_space, uniform(coded, rng)) for _ in range(STEPS)]

    def played(self, env: gym.Env) -> list[NDArray[np.uint8]]:
        """The images of an episode."""
        images = [env.reset(seed=3)[0]["image"]]
        return images + [env.step(action)[0]["image"] for action in self.actions(env)]


class TaskContract(RecordableContract):
    """The same for an environment that poses problems; see ``envs.task.Task``."""

    images = ("image", "goal_image")

    def test_there_is_something_to_do(self, env: gym.Env) -> None:
        assert vectors(env.action_space).shape[0] > 0

    def test_info_says_how_far_the_goal_is(self, env: gym.Env) -> None:
        _, info = env.reset(seed=0)
        for told in (info, env.step(self.actions(env)[0])[-1]):
            assert isinstance(told["is_success"], bool | np.bool_)
            assert told["distance"] >= 0
            for name in member(env, "measures") or ():
                assert np.isfinite(told[name])

    def test_problems_are_unsolved_and_differ(self, env: gym.Env) -> None:
        posed = [env.reset(seed=seed) for seed in range(10)]
        assert not any(info["is_success"] for _, info in posed)
        assert len({observation["goal_image"].tobytes() for observation, _ in posed}) > 1

    def test_the_goal_stays_while_an_episode_lasts(self, env: gym.Env) -> None:
        goal = env.reset(seed=0)[0]["goal_image"].copy()
        for action in self.actions(env):
            assert np.array_equal(env.step(action)[0]["goal_image"], goal)


class SimulatedContract(ABC):
    """Inherit beside ``TaskContract`` where the state can be brought back: ``task.Simulated``.

    ``make`` gives an environment without noise.
    """

    @abstractmethod
    def make(self) -> gym.Env:
        """The environment, without a limit of steps and without noise."""

    def test_a_restored_scene_goes_on_as_it_did(self) -> None:
        env, other = self.make(), self.make()
        core: Any = env.unwrapped
        copy: Any = other.unwrapped
        env.reset(seed=0)
        other.reset(seed=1)
        actions = np.stack([env.action_space.sample() for _ in range(4)])
        env.step(actions[0])
        copy.restore(core.snapshot())
        for action in actions[1:]:
            one, two = env.step(action)[0], other.step(action)[0]
            assert np.array_equal(one["image"], two["image"])
        assert np.array_equal(core.snapshot(), copy.snapshot())

    def test_the_goal_is_a_scene_in_which_it_is_reached(self) -> None:
        env = self.make()
        core: Any = env.unwrapped
        goal_image = env.reset(seed=0)[0]["goal_image"]
        core.restore(core.goal_scene)
        frame, _ = core.oracle.draw(core.goal_scene)
        assert np.array_equal(frame, goal_image)
        _, _, _, _, info = env.step(np.zeros_like(env.action_space.sample()))
        assert info["is_success"]

    def test_the_oracle_foretells_what_happens(self) -> None:
        env = self.make()
        core: Any = env.unwrapped
        env.reset(seed=0)
        actions = np.stack([env.action_space.sample() for _ in range(4)])
        foretold = core.oracle.simulate(core.snapshot(), actions)
        for scene, action in zip(foretold, actions, strict=True):
            env.step(action)
            assert np.array_equal(core.snapshot(), scene)
