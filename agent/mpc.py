"""Model-predictive control: observe, plan, act, and plan again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.numbers import is_whole
from armillary.planners.objective import Objective
from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan
from armillary.planners.situation import Situation
from armillary.spaces import OneHot, ends, native, vectors
from armillary.threads import Threads
from armillary.world_models.goals.image import ImageGoal
from armillary.world_models.goals.reader import GoalReader
from armillary.world_models.simulator import Goal, Observation, Simulator
from armillary.world_models.state import LatentState


@dataclass(frozen=True)
class PlanningTime:
    """What a call of ``act`` that planned took.

    Attributes:
        seconds: wall time, of all problems together.
        problems: episodes that were planned for.
        evaluations: candidates that the model was asked about, for each problem (the mean).
    """

    seconds: float
    problems: int
    evaluations: float


class MPCAgent:
    """Plans in one episode or in B at once, every ``replan_interval`` steps, from a warm start.

    For one: ``reset(seed, goal)``, then ``act(observation)``, whose action goes to ``env.step``.
    For B: ``reset(seeds)``, then ``act(observations, active)``, as ``run_episodes`` does.

    It carries one belief per episode, into which every frame is filtered together with the action
    that led to it, so that slots stay what they are. The goal is read once, at the beginning, when
    the first frame is shown as often as a belief takes to settle.

    Args:
        simulator: answers what candidates would lead to.
        objective: scores the answers.
        optimizer: searches.
        action_space: of one environment; its bounds hold for every candidate. Discrete actions are
            searched as one-hot vectors, by an optimizer for choices (``CategoricalCEM``).
        horizon: T, steps that a plan looks ahead.
        replan_interval: steps executed before the next plan.
        goal_reader: what reads the goals; by default ``ImageGoal``.
        threads: of the CPU while it plans there; by default they follow what is free.

    Raises:
        ArmillaryError: the horizon is too short, the simulator takes other actions, or the
            optimizer does not suit them or the simulator.

    Attributes:
        optimizer: searches; may be exchanged between episodes.
        planning_times: of every call that planned.
        last_plan: the most recent result, rows being the episodes then active.
        last_state: the states that it starts from, in the same rows.
    """

    def __init__(
        self,
        simulator: Simulator,
        objective: Objective,
        optimizer: ActionOptimizer,
        action_space: spaces.Space[Any],
        horizon: int,
        replan_interval: int = 1,
        goal_reader: GoalReader | None = None,
        threads: Threads | None = None,
    ) -> None:
        whole = is_whole(horizon) and is_whole(replan_interval)
        if not whole or not 1 <= replan_interval <= horizon:
            raise ArmillaryError(
                "horizon must be at least replan_interval, which must be at least 1, and both "
                f"whole numbers, got horizon={horizon} and replan_interval={replan_interval}"
            )
        self._space = action_space
        space = vectors(action_space)
        if space.shape != (simulator.action_size,):
            raise ArmillaryError(
                f"the simulator takes actions of size {simulator.action_size}, "
                f"the task's are {space.shape}"
            )
        self._simulator = simulator
        on_cpu = simulator.device.type == "cpu"
        self._working = (threads or Threads()).working if on_cpu else nullcontext
        self._objective = objective
        self.optimizer = optimizer
        low, high = (torch.from_numpy(end).to(simulator.device) for end in ends(space))
        self._bounds = Bounds(low, high, space.sizes if isinstance(space, OneHot) else ())
        self._middle = (low + high) / 2
        if callable(check := getattr(optimizer, "check_problem", None)):
            check(simulator, self._bounds, horizon)
        self._goal_reader = self._reader = goal_reader or ImageGoal()
        self._alone, self._goal_image = False, None
        self._horizon = horizon
        self._interval = replan_interval
        self._step = -1
        self.planning_times: list[PlanningTime] = []
        self.last_plan: Plan | None = None
        self.last_state: LatentState | None = None

    def reset(
        self, seed: int | Sequence[int], goal: NDArray[np.uint8] | GoalReader | None = None
    ) -> None:
        """Forgets everything; every episode gets a generator of its own.

        Args:
            seed: of one episode, or of each of several.
            goal: what one episode is to reach: an image (H, W, 3) uint8 that stands for the
                observation's ``goal_image``, or what reads it. By default the agent's own.

        Raises:
            ArmillaryError: a goal for several episodes.
        """
        self._alone = isinstance(seed, int | np.integer)
        if goal is not None and not self._alone:
            raise ArmillaryError("a goal is one episode's: reset(seed, goal) takes a single seed")
        seeds = [seed] if isinstance(seed, int | np.integer) else seed
        shown = isinstance(goal, np.ndarray)
        self._goal_image = goal if shown else None
        self._reader = self._goal_reader if goal is None or shown else goal
        count, size, device = len(seeds), self._simulator.action_size, self._simulator.device
        self._generators = [torch.Generator(device).manual_seed(int(seed)) for seed in seeds]
        self._rows: list[int] = []
        self._belief: LatentState | None = None
        self._goal: Goal | None = None
        self._taken = np.zeros((count, size), np.float32)
        self._plans = self._middle.repeat(count, self._horizon, 1)
        self._elites = self._plans.unsqueeze(1)[:, :0]
        self._step = 0

    @overload
    def act(self, observation: Observation) -> Any: ...

    @overload
    def act(
        self, observation: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]: ...

    def act(
        self,
        observation: Observation | Sequence[Observation],
        active: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Chooses the next action of one episode, or of B, see ``Agent``.

        Args:
            observation: a dictionary with ``image``, and ``goal_image`` where no goal was given; or
                B of them.
            active: (B,), which of several episodes still run; by default all.

        Returns:
            Of one episode an action as ``env.step`` takes it, of several (B, A) float32.

        Raises:
            ArmillaryError: ``reset`` has not been called, the observations are not as many as the
                seeds, or an episode that has ended goes on.
        """
        if self._step < 0:
            raise ArmillaryError("reset starts the episodes, and comes before act")
        if isinstance(observation, Mapping) is not self._alone:
            kind = "one dictionary" if self._alone else "a sequence of dictionaries"
            raise ArmillaryError(
                f"act takes {kind} after reset with {'one seed' if self._alone else 'seeds'}, "
                f"got {type(observation).__name__}"
            )
        if not isinstance(observation, Mapping):
            count = len(self._generators)
            running = np.ones(count, bool) if active is None else np.asarray(active, bool)
            if len(observation) != count or len(running) != count:
                raise ArmillaryError(
                    f"act takes {count} observations and flags, as many as reset took seeds; got "
                    f"{len(observation)} and {len(running)}"
                )
            return self._act(observation, running)
        shown = {} if self._goal_image is None else {"goal_image": self._goal_image}
        (action,) = self._act([{**observation, **shown}], np.ones(1, bool))
        return native(self._space, action)

    def _act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        with self._working():
            return self._chosen(observations, active)

    def _chosen(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        started = time.perf_counter()
        rows = np.flatnonzero(active).tolist()
        if rows:
            self._observe([observations[row] for row in rows], rows)
        phase = self._step % self._interval
        if rows and phase == 0:
            plan = self._replan()
            seconds, spent = time.perf_counter() - started, float(plan.evaluations.float().mean())
            self.planning_times.append(PlanningTime(seconds, len(rows), spent))
        actions = self._plans[:, phase].cpu().numpy()
        self._taken = np.where(active[:, None], actions, 0.0).astype(np.float32)
        self._step += 1
        return self._taken

    def _observe(self, observations: Sequence[Observation], rows: list[int]) -> None:
        """Filters one frame of each episode that still runs."""
        taken, observe = self._taken[rows], self._simulator.observe
        if self._belief is None or self._goal is None:
            belief = observe(None, taken, observations)
            for _ in range(self._simulator.context_length - 1):
                belief = observe(belief, taken, observations)
            bounds = self._bounds.low, self._bounds.high
            self._goal = self._reader.read(self._simulator, belief, observations, *bounds)
        else:
            belief = self._belief
            if rows != self._rows:
                if not set(rows) <= set(self._rows):
                    raise ArmillaryError(
                        f"episodes that have ended do not go on before the next reset; {rows} are "
                        f"active, {self._rows} were"
                    )
                kept = torch.tensor([self._rows.index(row) for row in rows])
                kept = kept.to(self._simulator.device)
                belief, self._goal = belief.index(kept), self._goal.index(kept)
            belief = observe(belief, taken, observations)
        self._belief, self._rows = belief, rows

    def _replan(self) -> Plan:
        state, goal, rows = self._belief, self._goal, self._rows
        assert state is not None
        assert goal is not None
        generators = [self._generators[row] for row in rows]
        index = torch.as_tensor(rows, device=self._plans.device)
        shift = self._interval if self._step else 0
        plan = self.optimizer.optimize(
            Situation(self._simulator, state, self._objective, goal, generators),
            self._shifted(self._plans[index], shift),
            self._bounds,
            generators,
            proposals=self._shifted(self._elites[index], shift),
        )
        self._plans[index] = plan.actions.to(self._plans)
        if self._elites.shape[1] != plan.elites.shape[1]:
            self._elites = self._plans.unsqueeze(1).repeat(1, plan.elites.shape[1], 1, 1)
        self._elites[index] = plan.elites.to(self._elites)
        self.last_plan, self.last_state = plan, state
        return plan

    def _shifted(self, actions: torch.Tensor, steps: int) -> torch.Tensor:
        """Actions (..., T, A) moved ``steps`` towards the present, followed by middling ones."""
        shifted = self._middle.expand_as(actions).clone()
        shifted[..., : actions.shape[-2] - steps, :] = actions[..., steps:, :]
        return shifted
