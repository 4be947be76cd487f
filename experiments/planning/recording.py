"""Plays and records single episodes of a task; imports no torch, so that workers start fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from armillary.envs.task import Policy, Recordable
from armillary.experiments.command.config import build
from armillary.experiments.planning.environments import make_environment
from armillary.seeds import OfEpisode, episode_generator, recorded_episode_seed


@dataclass(frozen=True)
class Recipe:
    """How episodes are recorded; picklable.

    Attributes:
        environment: ``id`` and keyword arguments of ``gymnasium.make``.
        policy: ``_target_`` and keyword arguments of the policy's class.
        noise: standard deviation of Gaussian noise on every action.
        length: T, frames per episode.
        seed: of the collection.
    """

    environment: Mapping[str, Any]
    policy: Mapping[str, Any]
    noise: float
    length: int
    seed: int


@dataclass(frozen=True)
class Recording:
    """One episode.

    Attributes:
        frames: (T, H, W, 3) uint8.
        actions: (T - 1, A) float32, as commanded.
        masks: (T, H, W) uint8 labels, 0 for the background.
        poses: (T, P) float64, the observation's ``observation``.
    """

    frames: NDArray[np.uint8]
    actions: NDArray[np.float32]
    masks: NDArray[np.uint8]
    poses: NDArray[np.float64]


def record(recipe: Recipe, index: int) -> Recording:
    """Plays episode ``index`` of a recipe to its full length, whether or not it succeeds."""
    env = make_environment(recipe.environment, recipe.length)
    core = cast(Recordable, env.unwrapped)
    seed = recorded_episode_seed(recipe.seed, index)
    noise_rng = episode_generator(seed, OfEpisode.ACTION_NOISE)
    policy: Policy = build(OmegaConf.create(dict(recipe.policy)))
    observation, _ = env.reset(seed=seed)
    policy.reset(episode_generator(seed, OfEpisode.POLICY))
    frames, masks = [observation["image"]], [core.segmentation()]
    poses, actions = [observation["observation"]], []
    space = env.action_space
    assert isinstance(space, gym.spaces.Box)
    for _ in range(recipe.length - 1):
        action = policy.act(core.snapshot()) + noise_rng.normal(0.0, recipe.noise, space.shape)
        action = action.clip(space.low, space.high).astype(np.float32)
        observation = env.step(action)[0]
        actions.append(action)
        frames.append(observation["image"])
        masks.append(core.segmentation())
        poses.append(observation["observation"])
    env.close()
    return Recording(np.stack(frames), np.stack(actions), np.stack(masks), np.stack(poses))
