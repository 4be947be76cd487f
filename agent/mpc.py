"""Model-predictive control: encode, plan, act, and plan again."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.planners.objective import Objective
from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan
from armillary.world_models.simulator import Observation, Simulator
from armillary.world_models.state import LatentState


class MPCAgent:
    """Plans in B episodes at once, every ``replan_interval`` steps, from a warm start.

    Args:
        simulator: answers what candidates would lead to.
        objective: scores the answers.
        optimizer: searches.
        action_space: of one environment; its bounds hold for every candidate.
        horizon: T, steps that a plan looks ahead.
        replan_interval: steps executed before the next plan.

    Attributes:
        plan_seconds: wall seconds of every planning call, per episode that was planned for.
        last_plan: the most recent result, rows being the episodes then active.
        last_state: the states that it starts from, in the same rows.
    """

    def __init__(
        self,
        simulator: Simulator,
        objective: Objective,
        optimizer: ActionOptimizer,
        action_space: spaces.Box,
        horizon: int,
        replan_interval: int = 1,
    ) -> None:
        if replan_interval < 1 or horizon < replan_interval:
            raise ArmillaryError(
                "horizon must be at least replan_interval, which must be at least 1, "
                f"got horizon={horizon} and replan_interval={replan_interval}"
            )
        if action_space.shape != (simulator.action_size,):
            raise ArmillaryError(
                f"the simulator takes actions of size {simulator.action_size}, "
                f"the task's are {action_space.shape}"
            )
        self._simulator = simulator
        self._objective = objective
        self._optimizer = optimizer
        self._bounds = Bounds(
            torch.as_tensor(action_space.low, device=simulator.device).float(),
            torch.as_tensor(action_space.high, device=simulator.device).float(),
        )
        self._horizon = horizon
        self._interval = replan_interval
        self.plan_seconds: list[float] = []
        self.last_plan: Plan | None = None
        self.last_state: LatentState | None = None

    def reset(self, seeds: Sequence[int]) -> None:
        """Forgets everything; every episode gets a generator of its own."""
        count, size, device = len(seeds), self._simulator.action_size, self._simulator.device
        self._generators = [torch.Generator(device).manual_seed(int(seed)) for seed in seeds]
        self._histories: list[list[Observation]] = [[] for _ in seeds]
        self._taken = np.zeros((count, self._simulator.context_length - 1, size), np.float32)
        self._plans = torch.zeros(count, self._horizon, size, device=device)
        self._elites = self._plans.unsqueeze(1)[:, :0]
        self._step = 0

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See ``Agent``."""
        rows = np.flatnonzero(active).tolist()
        for row in rows:
            self._remember(self._histories[row], observations[row])
        phase = self._step % self._interval
        if phase == 0:
            self._replan(observations, rows)
        actions = self._plans[:, phase].cpu().numpy()
        actions = np.where(active[:, None], actions, 0.0).astype(np.float32)
        if self._taken.shape[1]:
            self._taken = np.concatenate([self._taken[:, 1:], actions[:, None]], axis=1)
        self._step += 1
        return actions

    def _replan(self, observations: Sequence[Observation], rows: list[int]) -> None:
        started = time.perf_counter()
        state = self._simulator.encode([self._histories[row] for row in rows], self._taken[rows])
        goal = self._simulator.goal(state, [observations[row] for row in rows])
        generators = [self._generators[row] for row in rows]

        def score(actions: torch.Tensor) -> torch.Tensor:
            rollout = self._simulator.rollout(state, actions, generators)
            return self._objective(rollout, goal).total

        index = torch.as_tensor(rows, device=self._plans.device)
        shift = self._interval if self._step else 0
        plan = self._optimizer.optimize(
            score,
            _shifted(self._plans[index], shift),
            self._bounds,
            generators,
            proposals=_shifted(self._elites[index], shift),
        )
        self._plans[index] = plan.actions
        if self._elites.shape[1] != plan.elites.shape[1]:
            self._elites = self._plans.unsqueeze(1).repeat(1, plan.elites.shape[1], 1, 1)
        self._elites[index] = plan.elites
        self.last_plan, self.last_state = plan, state
        self.plan_seconds.append((time.perf_counter() - started) / len(rows))

    def _remember(self, history: list[Observation], observation: Observation) -> None:
        """Keeps the last C observations; the first one stands for all before it."""
        length = self._simulator.context_length
        history.extend([observation] * (1 if history else length))
        del history[:-length]


def _shifted(actions: torch.Tensor, steps: int) -> torch.Tensor:
    """Actions (..., T, A) moved ``steps`` towards the present, followed by zeros."""
    shifted = torch.zeros_like(actions)
    shifted[..., : actions.shape[-2] - steps, :] = actions[..., steps:, :]
    return shifted
