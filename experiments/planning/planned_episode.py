"""Plays one episode of a planning agent and keeps what each of its plans imagined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from armillary.agent.episodes import run_episodes
from armillary.agent.mpc import MPCAgent
from armillary.experiments.pixels import Picture, pictures
from armillary.planners.optimizer import Plan
from armillary.world_models.imagine import Imaginer
from armillary.world_models.model import WorldModel
from armillary.world_models.simulator import Observation


@dataclass(frozen=True)
class PlannedEpisode:
    """What was planned and what happened in an episode of L steps.

    Attributes:
        success: whether the goal was reached.
        distances: (L + 1,) to the goal, as the task measures it.
        frames: (L + 1, H, W, 3) uint8, what happened.
        goal_image: (H, W, 3) uint8.
        imagined: (L, H, W, 3) uint8; what the plan then in force expected after each step.
        plan_ends: (L, H, W, 3) uint8; the last frame that it imagined.
        plan_numbers: (L,) which plan that was, from 0.
    """

    success: bool
    distances: Sequence[float]
    frames: Picture
    goal_image: Picture
    imagined: Picture
    plan_ends: Picture
    plan_numbers: Sequence[int]


def play(
    make_env: Callable[[], gym.Env], agent: MPCAgent, model: WorldModel, seed: int
) -> PlannedEpisode:
    """Runs one episode.

    Args:
        make_env: makes a ``Task`` that truncates by itself.
        agent: plans with the model.
        model: imagines the executed plans again, without noise, for their frames.
        seed: of the environment and the agent.
    """
    recorder = _PlanRecorder(agent, model)
    distances: list[_DistanceRecorder] = []

    def watched() -> gym.Env:
        distances.append(_DistanceRecorder(make_env()))
        return distances[-1]

    episode = run_episodes(watched, recorder, [seed], batch=1)[0]
    plans = [recorder.plans[number] for number in recorder.numbers]
    firsts = [recorder.numbers.index(number) for number in recorder.numbers]
    offsets = [step - first for step, first in enumerate(firsts)]
    return PlannedEpisode(
        success=episode.success,
        distances=distances[0].measured,
        frames=episode.frames,
        goal_image=episode.goal_image,
        imagined=np.stack([plan[offset] for plan, offset in zip(plans, offsets, strict=True)]),
        plan_ends=np.stack([plan[-1] for plan in plans]),
        plan_numbers=recorder.numbers,
    )


class _DistanceRecorder(gym.Wrapper):
    """Keeps the distance to the goal that the task reports at every moment."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self.measured: list[float] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self.measured = [info["distance"]]
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        result = self.env.step(action)
        self.measured.append(result[-1]["distance"])
        return result


class _PlanRecorder:
    """Passes everything on to an agent of one episode, and films its plans.

    Attributes:
        plans: per plan its imagined frames (T, H, W, 3) uint8.
        numbers: per step the plan that it followed.
    """

    def __init__(self, agent: MPCAgent, model: WorldModel) -> None:
        self._agent = agent
        self._core = Imaginer(model)
        self._last: Plan | None = None
        self.plans: list[Picture] = []
        self.numbers: list[int] = []

    def reset(self, seeds: Sequence[int]) -> None:
        self._agent.reset(seeds)

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        actions = self._agent.act(observations, active)
        plan, state = self._agent.last_plan, self._agent.last_state
        if plan is not self._last:
            assert plan is not None
            assert state is not None
            with torch.no_grad():
                futures = self._core.rollout(state, plan.actions)
                self.plans.append(pictures(self._core.frames(futures.flatten(2))))
            self._last = plan
        self.numbers.append(len(self.plans) - 1)
        return actions
