"""Plays episodes of an agent and keeps, of one that plans, what each of its plans imagined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from armillary.agent.agent import Agent
from armillary.agent.episodes import Episode, Progress, run_episodes
from armillary.agent.mpc import MPCAgent
from armillary.experiments.pixels import Picture, pictures
from armillary.experiments.planning.candidates import WatchedSearch
from armillary.planners.optimizer import Plan
from armillary.world_models.simulator import Observation, Simulator


@dataclass(frozen=True)
class PlannedEpisode:
    """What was planned and what happened in an episode of L steps.

    Attributes:
        episode: what happened.
        distances: (L + 1,) to the goal, as the task measures it; empty where it does not.
        imagined: (L, H, W, 3) uint8; what the plan then in force expected after each step.
        plan_ends: (L, H, W, 3) uint8; the last frame that it imagined.
        plan_numbers: (L,) which plan that was, from 0. Of an agent that does not plan, all three
            are empty.
        candidates: of each plan what its search considered last, see ``WatchedSearch.tracks``;
            empty unless that was asked for.
    """

    episode: Episode
    distances: Sequence[float]
    imagined: Picture
    plan_ends: Picture
    plan_numbers: Sequence[int]
    candidates: Sequence[NDArray[np.float32]] = ()


def play(
    make_env: Callable[[], gym.Env],
    agent: Agent,
    simulator: Simulator | None,
    seeds: Sequence[int],
    batch: int = 1,
    on_end: Progress = lambda ended: None,
    candidates: bool = False,
) -> list[PlannedEpisode]:
    """Runs one episode per seed; see ``run_episodes``.

    Args:
        make_env: makes a ``Task`` that truncates by itself.
        agent: acts; an ``MPCAgent`` where there is a simulator.
        simulator: imagines the executed plans again, for their frames; None where nothing plans.
        seeds: of the environments and the agent, each once.
        batch: episodes at a time.
        on_end: told as episodes end.
        candidates: whether to imagine the candidates of searches, too.
    """
    travelled: dict[int, list[float]] = {}
    recorder = _PlanRecorder(agent, simulator, candidates)

    def watched() -> gym.Env:
        return _DistanceRecorder(make_env(), travelled)

    episodes = run_episodes(watched, recorder, seeds, batch, on_end)
    return [_told(one, travelled[one.seed], recorder.logs[one.seed]) for one in episodes]


@dataclass
class _Log:
    """The plans of one episode, (T, H, W, 3) uint8 each, and which one each step followed."""

    plans: list[Picture] = field(default_factory=list)
    candidates: list[NDArray[np.float32]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


def _told(episode: Episode, distances: Sequence[float], log: _Log) -> PlannedEpisode:
    nothing = np.empty((0, *episode.frames.shape[1:]), np.uint8)
    steps = [(log.plans[n], step - log.numbers.index(n)) for step, n in enumerate(log.numbers)]
    return PlannedEpisode(
        episode=episode,
        distances=distances,
        imagined=np.stack([plan[offset] for plan, offset in steps]) if steps else nothing,
        plan_ends=np.stack([plan[-1] for plan, _ in steps]) if steps else nothing,
        plan_numbers=log.numbers,
        candidates=log.candidates,
    )


class _DistanceRecorder(gym.Wrapper):
    """Keeps the distance to the goal at every moment, if the task reports one, by its seed."""

    def __init__(self, env: gym.Env, travelled: dict[int, list[float]]) -> None:
        super().__init__(env)
        self._travelled = travelled
        self._distances: list[float] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        assert seed is not None
        self._distances = self._travelled[seed] = []
        self._read(info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        result = self.env.step(action)
        self._read(result[-1])
        return result

    def _read(self, info: dict[str, Any]) -> None:
        if "distance" in info:
            self._distances.append(float(info["distance"]))


class _PlanRecorder:
    """Passes everything on to an agent, and films its plans; with candidates, its search too.

    Attributes:
        logs: what was planned, by the seed of the episode.
    """

    def __init__(self, agent: Agent, simulator: Simulator | None, candidates: bool) -> None:
        self._agent = agent
        self._simulator = simulator
        self._search: WatchedSearch | None = None
        if candidates and simulator is not None:
            assert isinstance(agent, MPCAgent)
            self._search = agent.optimizer = WatchedSearch(agent.optimizer)
        self._last: Plan | None = None
        self._seeds: Sequence[int] = ()
        self.logs: dict[int, _Log] = {}

    def reset(self, seeds: Sequence[int]) -> None:
        self._agent.reset(seeds)
        self._seeds = seeds
        self.logs |= {seed: _Log() for seed in seeds}

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        actions = self._agent.act(observations, active)
        if self._simulator is None:
            return actions
        assert isinstance(self._agent, MPCAgent)
        seeds = [self._seeds[row] for row in np.flatnonzero(active).tolist()]
        plan, state = self._agent.last_plan, self._agent.last_state
        if plan is not None and plan is not self._last:
            device = self._simulator.device
            generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
            future = self._simulator.rollout(state, plan.actions.unsqueeze(1), generators)
            for seed, frames in zip(seeds, future.frames[:, 0, 0], strict=True):
                self.logs[seed].plans.append(pictures(frames))
            if self._search is not None:
                for seed, tracks in zip(seeds, self._search.tracks(seeds), strict=True):
                    self.logs[seed].candidates.append(tracks)
            self._last = plan
        for seed in seeds:
            self.logs[seed].numbers.append(len(self.logs[seed].plans) - 1)
        return actions
