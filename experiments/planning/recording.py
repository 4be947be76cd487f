"""Plays and records single episodes of a task; imports no torch, so that workers start fast."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from armillary.envs.policies import Uniform
from armillary.envs.task import Policy, member
from armillary.errors import required
from armillary.experiments.command.config import build
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.environments import make_environment
from armillary.seeds import OfEpisode, episode_generator, recorded_episode_seed
from armillary.spaces import admitted, native, vectors


@dataclass(frozen=True)
class Recipe:
    """How episodes are recorded; picklable.

    Attributes:
        environment: ``id`` and keyword arguments of ``gymnasium.make``.
        policy: ``_target_`` and keyword arguments of the policy's class; None for actions that are
            drawn uniformly.
        noise: standard deviation of Gaussian noise on every action.
        length: T, frames per episode.
        seed: of the collection.
    """

    environment: Mapping[str, Any]
    policy: Mapping[str, Any] | None
    noise: float
    length: int
    seed: int


@dataclass(frozen=True)
class Recording:
    """One episode.

    Attributes:
        frames: (T, H, W, 3) uint8.
        actions: (T - 1, A) float32, as commanded; one-hot where they are discrete.
        masks: (T, H, W) uint8 labels, 0 for the background; None where the task has none.
        extras: ``poses`` (T, P) float64, the observation's ``observation``, where there is one.
    """

    frames: NDArray[np.uint8]
    actions: NDArray[np.float32]
    masks: NDArray[np.uint8] | None
    extras: Mapping[str, NDArray[np.float64]]


class Recorder(AbstractContextManager["Recorder"]):
    """Records the episodes of a recipe, all in one environment, which leaving it closes.

    Raises:
        UsageError: the environment cannot be made, or its actions have no bounds.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._env = make_environment(recipe.environment, recipe.length)
        self._space = vectors(self._env.action_space)
        if not self._space.is_bounded():
            raise UsageError(
                f"actions must lie within bounds, got {self._env.action_space}; task=image_goal "
                "takes task.environment.action_bounds=[low,high]"
            )
        self._policy: Policy = (
            Uniform(self._space)
            if recipe.policy is None
            else build(OmegaConf.create(dict(recipe.policy)))
        )
        self._reads_scene = recipe.policy is not None
        self._segmentation = member(self._env, "segmentation")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._env.close()

    def record(self, index: int) -> Recording:
        """Plays episode ``index`` to its full length, whether or not it succeeds.

        Raises:
            ArmillaryError: the environment shows no image, or lacks what the policy acts on.
        """
        recipe, env, space = self._recipe, self._env, self._space
        seed = recorded_episode_seed(recipe.seed, index)
        noise_rng = episode_generator(seed, OfEpisode.ACTION_NOISE)
        observation, _ = env.reset(seed=seed)
        self._policy.reset(episode_generator(seed, OfEpisode.POLICY))
        seen, actions = [self._see(observation)], []
        for _ in range(recipe.length - 1):
            action = self._policy.act(self._scene()) + noise_rng.normal(
                0.0, recipe.noise, space.shape
            )
            action = admitted(space, action)
            seen.append(self._see(env.step(native(env.action_space, action))[0]))
            actions.append(action)
        frames, masks, poses = zip(*seen, strict=True)
        return Recording(
            np.stack(frames),
            np.stack(actions),
            None if self._segmentation is None else np.stack(masks),
            {} if poses[0] is None else {"poses": np.stack(poses)},
        )

    def _see(self, observation: Mapping[str, Any]) -> tuple[NDArray[np.uint8], Any, Any]:
        labels = None if self._segmentation is None else self._segmentation()
        image = required(observation, "image", "the observation of a task")
        return image, labels, observation.get("observation")

    def _scene(self) -> NDArray[np.float64]:
        """What policies act on; nothing where only a random one is asked."""
        if not self._reads_scene:
            return np.empty(0)
        snapshot = member(self._env, "snapshot")
        if snapshot is None:
            raise UsageError(
                f"the environment {self._recipe.environment['id']} has no 'snapshot', which the "
                "task's policies act on; policy=random needs none"
            )
        return snapshot()


_open: dict[bytes, Recorder] = {}


def record(recipe: Recipe, index: int) -> Recording:
    """Records an episode with this process' recorder of the recipe, made at the first one."""
    key = pickle.dumps(recipe)
    if key not in _open:
        close()
        _open[key] = Recorder(recipe)
    return _open[key].record(index)


def close() -> None:
    """Closes this process' recorder."""
    while _open:
        with _open.popitem()[1]:
            pass
