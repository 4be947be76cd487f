"""Runs an agent through episodes, each exactly once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from armillary.agent.agent import Agent
from armillary.errors import ArmillaryError, required
from armillary.spaces import native


@dataclass(frozen=True)
class Episode:
    """What happened in one episode.

    Attributes:
        seed: of the environment.
        success: whether the goal was reached at any step.
        steps: steps until success, or until the episode ended.
        frames: (L + 1, H, W, 3) uint8, the images observed; L is ``steps``, or more where the
            episode went on after success.
        goal_image: (H, W, 3) uint8.
        actions: (L, A) float32, as commanded.
        held: whether the goal was reached at the last step; None where success ended the episode.
        measures: what the task measures beside success (``envs.task.Measured``), the greatest of
            all steps, by name.
    """

    seed: int
    success: bool
    steps: int
    frames: NDArray[np.uint8]
    goal_image: NDArray[np.uint8]
    actions: NDArray[np.float32]
    held: bool | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


Progress = Callable[[Sequence[Episode]], None]
"""Told the episodes that have just ended."""


def run_episodes(
    make_env: Callable[[], gym.Env],
    agent: Agent,
    seeds: Sequence[int],
    batch: int,
    on_end: Progress = lambda ended: None,
) -> list[Episode]:
    """Runs one episode per seed, all of them; see ``run_batches``.

    Returns:
        The episodes in the order of ``seeds``.
    """
    batches = run_batches(make_env, agent, seeds, batch, on_end)
    return [episode for episodes in batches for episode in episodes]


def run_batches(
    make_env: Callable[[], gym.Env],
    agent: Agent,
    seeds: Sequence[int],
    batch: int,
    on_end: Progress = lambda ended: None,
    play_on: bool = False,
) -> Iterator[list[Episode]]:
    """Runs one episode per seed, ``batch`` of them in step with each other.

    All episodes of a batch run to their own end before the next batch starts, so that short ones
    do not count more than long ones. No batch depends on those before it.

    Args:
        make_env: makes an environment that truncates by itself.
        agent: acts in up to ``batch`` episodes.
        seeds: of the environments, and of the agent's generators.
        batch: episodes at a time.
        on_end: told as episodes end.
        play_on: whether episodes go on after success, as far as the environment lets them.

    Yields:
        The episodes of each batch, in the order of ``seeds``.

    Raises:
        ArmillaryError: ``batch`` is less than 1, or what the environment shows or says lacks a name
            of the contract of tasks.
    """
    if batch < 1:
        raise ArmillaryError(f"batch must be at least 1, got {batch}")
    for first in range(0, len(seeds), batch):
        chosen = [int(seed) for seed in seeds[first : first + batch]]
        with ExitStack() as opened:
            envs = [opened.enter_context(closing(make_env())) for _ in chosen]
            episodes = _run_batch(envs, agent, chosen, on_end, play_on)
        yield episodes


def _run_batch(
    envs: Sequence[gym.Env],
    agent: Agent,
    seeds: Sequence[int],
    on_end: Progress,
    play_on: bool,
) -> list[Episode]:
    observations = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    for observation in observations:
        for name in ("image", "goal_image"):
            required(observation, name, "the observation of a task")
    agent.reset(seeds)
    active = np.ones(len(envs), bool)
    reached = [0] * len(envs)
    frames = [[observation["image"]] for observation in observations]
    taken: list[list[NDArray[np.float32]]] = [[] for _ in envs]
    measured: list[dict[str, float]] = [{} for _ in envs]
    ended: dict[int, Episode] = {}
    while active.any():
        actions = agent.act(observations, active)
        running = np.flatnonzero(active).tolist()
        for i in running:
            observation, _, terminated, truncated, info = envs[i].step(
                native(envs[i].action_space, actions[i])
            )
            observations[i] = observation
            frames[i].append(observation["image"])
            taken[i].append(actions[i])
            _measure(envs[i], info, measured[i])
            touched = bool(required(info, "is_success", "the info of a task"))
            held = bool(info.get("at_goal", touched))
            if touched and not reached[i]:
                reached[i] = len(taken[i])
            stopped = terminated and reached[i] == len(taken[i])
            active[i] = not (terminated or truncated or (reached[i] and not play_on))
            if not active[i]:
                ended[i] = Episode(
                    seed=seeds[i],
                    success=bool(reached[i]),
                    steps=reached[i] or len(taken[i]),
                    frames=np.stack(frames[i]),
                    goal_image=observation["goal_image"],
                    actions=np.stack(taken[i]),
                    held=held if play_on and not stopped else None,
                    measures=measured[i],
                )
        if over := [ended[i] for i in running if not active[i]]:
            on_end(over)
    return [ended[i] for i in range(len(envs))]


def _measure(env: gym.Env, info: Mapping[str, Any], measured: dict[str, float]) -> None:
    """Keeps the greatest of what a task measures; of what judges in its place it measures none."""
    names = env.get_wrapper_attr("measures") if env.has_wrapper_attr("measures") else ()
    for name in names:
        if name in info:
            measured[name] = max(float(info[name]), measured.get(name, -math.inf))
