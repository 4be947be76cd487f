"""Controls at a fixed rate: the plan for t + 1 is computed while the action of t is executed.

Run with ``python examples/asynchronous_control.py --hz 5``. The first plan is made before the clock
starts. From then on every tick takes its action off the plan in force at once, and while that is
executed a second thread filters the latest frame, imagines where the action leads and plans from
there. A plan that is not ready in time is a missed deadline: the plan in force goes on, shifted by
a step, until the late one is there.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from armillary import (
    CEM,
    ActionOptimizer,
    Approach,
    Bounds,
    ImageGoal,
    LatentSimulator,
    Objective,
    ObjectPosition,
    Term,
    load_model,
)
from armillary.errors import ArmillaryError, RunError
from armillary.threads import Threads


class Planner:
    """All that asks the model, in one episode; one thread at a time.

    Args:
        simulator: answers what actions would lead to.
        objective: scores the answers.
        optimizer: searches.
        space: of the actions.
        horizon: T, steps that a plan looks ahead.
    """

    def __init__(
        self,
        simulator: LatentSimulator[Any],
        objective: Objective,
        optimizer: ActionOptimizer,
        space: spaces.Box,
        horizon: int,
    ) -> None:
        self._simulator, self._objective, self._optimizer = simulator, objective, optimizer
        low, high = (
            torch.as_tensor(end, dtype=torch.float32).to(simulator.device)
            for end in (space.low, space.high)
        )
        self._bounds = Bounds(low, high)
        self._idle = ((low + high) / 2).repeat(horizon, 1)
        self._working = Threads().working if simulator.device.type == "cpu" else nullcontext

    def begin(self, observation: dict[str, Any], seed: int) -> Tensor:
        """Reads the goal of an episode and makes the first plan (T, A)."""
        self._generator = torch.Generator(self._simulator.device).manual_seed(seed)
        still = np.zeros((1, self._simulator.action_size), np.float32)
        bounds = self._bounds.low, self._bounds.high
        self._belief = None
        with self._working():
            for _ in range(self._simulator.context_length):
                self._belief = self._simulator.observe(self._belief, still, [observation])
            self._goal = ImageGoal().read(self._simulator, self._belief, [observation], *bounds)
            return self._search(self._belief, self._idle)

    def ahead(
        self, seen: Sequence[tuple[Tensor, dict[str, Any]]], action: Tensor, init: Tensor
    ) -> Tensor:
        """The plan (T, A) for the step after the one that is being executed.

        Args:
            seen: the actions (A,) of the past that were not filtered yet, with the frames that
                they led to.
            action: (A,) that is being executed.
            init: (T, A) what the search starts from.
        """
        with self._working():
            for taken, observation in seen:
                taken = taken.cpu().numpy()[None]
                self._belief = self._simulator.observe(self._belief, taken, [observation])
            assert self._belief is not None
            with torch.no_grad():
                expected = self._simulator.rollout(self._belief, action.view(1, 1, 1, -1)).state
            return self._search(expected, init)

    def rest(self, plan: Tensor, done: int) -> Tensor:
        """A plan (T, A) without its first steps, middling actions being added at its end."""
        return torch.cat([plan[done:], self._idle[: min(done, len(plan))]])

    def _search(self, state: Any, init: Tensor) -> Tensor:
        def score(actions: Tensor) -> Tensor:
            return self._simulator.score(
                state, actions, self._objective, self._goal, [self._generator]
            )

        return self._optimizer.optimize(score, init[None], self._bounds, [self._generator]).actions[
            0
        ]


@dataclass
class Record:
    """What happened in an episode.

    Attributes:
        success: whether the goal was reached.
        ticks: actions that were executed.
        missed: ticks whose own plan was not ready.
        seconds: from the first action to the last frame.
        planning: seconds of every plan but the first.
    """

    success: bool = False
    ticks: int = 0
    missed: int = 0
    seconds: float = 0.0
    planning: list[float] = field(default_factory=list)


def control(
    env: gym.Env,
    planner: Planner,
    seed: int,
    hz: float,
    pool: Executor,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Record:
    """Plays one episode at ``hz`` actions a second.

    What ``env.step`` returns is taken for the frame at the end of the tick.
    """
    observation, _ = env.reset(seed=seed)
    plan, planned_for = planner.begin(observation, seed), 0
    coming: Future[tuple[Tensor, float]] | None = None
    due, seen, record, ended = 0, [], Record(), False

    def ahead(*given: Any) -> tuple[Tensor, float]:
        began = clock()
        return planner.ahead(*given), clock() - began

    started = clock()
    while not ended:
        tick = record.ticks
        if coming is not None and coming.done():
            (plan, seconds), planned_for, coming = coming.result(), due, None
            record.planning.append(seconds)
        record.missed += planned_for < tick
        action = planner.rest(plan, tick - planned_for)[0]
        observation, _, terminated, truncated, info = env.step(action.cpu().numpy())
        if coming is None:
            due = tick + 1
            coming = pool.submit(ahead, seen, action, planner.rest(plan, due - planned_for))
            seen = []
        seen.append((action, observation))
        record.ticks += 1
        record.success |= bool(info["is_success"])
        ended = terminated or truncated or record.success
        sleep(max(0.0, started + record.ticks / hz - clock()))
    record.seconds = clock() - started
    if coming is not None:
        coming.result()  # the planner belongs to the next episode
    return record


def main(words: Sequence[str] | None = None) -> list[Record]:
    """Plays episodes of PushBlocks and prints a line for each, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="pretrained/push_blocks")
    parser.add_argument("--hz", type=rate, default=5.0, help="actions a second")
    parser.add_argument("--episodes", type=count, default=10)
    parser.add_argument("--steps", type=count, default=20, help="of an episode, at most")
    parser.add_argument("--seed", type=natural, default=0, help="of the first episode")
    parser.add_argument("--samples", type=count, default=300)
    parser.add_argument("--iterations", type=count, default=5)
    parser.add_argument("--horizon", type=count, default=12)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(words)
    env = gym.make("armillary/PushBlocks-v0", max_episode_steps=given.steps)
    assert isinstance(env.action_space, spaces.Box)
    terms = {"position": Term(ObjectPosition()), "approach": Term(Approach(), weight=0.1)}
    try:
        simulator = LatentSimulator(load_model(given.checkpoint), given.device)
    except (ArmillaryError, RunError) as error:
        parser.error(str(error))
    planner = Planner(
        simulator,
        Objective(terms),
        CEM(
            samples=given.samples,
            iterations=given.iterations,
            elites=max(1, given.samples // 10),
            noise_exponent=2.0,
        ),
        env.action_space,
        given.horizon,
    )
    records = []
    with ThreadPoolExecutor(1) as pool:
        for seed in range(given.seed, given.seed + given.episodes):
            one = control(env, planner, seed, given.hz, pool)
            records.append(one)
            end = "reached" if one.success else "not reached"
            print(f"seed {seed}: {end} in {one.ticks} steps, {one.missed} deadlines missed")
    print(summary(records, given.hz))
    return records


def count(text: str) -> int:
    """A whole number of at least 1."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return int(text)


def natural(text: str) -> int:
    """A whole number of at least 0."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {text}")
    return int(text)


def rate(text: str) -> float:
    """A number above 0."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return float(text)


def summary(records: Sequence[Record], hz: float) -> str:
    """One line about several episodes."""
    ticks, missed = sum(one.ticks for one in records), sum(one.missed for one in records)
    planning = [seconds for one in records for seconds in one.planning]
    spent = "no plan was ready before its episode ended"
    if planning:
        spent = f"a plan takes {statistics.median(planning):.3f} s, at most {max(planning):.3f} s"
    return (
        f"{sum(one.success for one in records)} of {len(records)} reached; "
        f"{ticks / sum(one.seconds for one in records):.2f} Hz of {hz:g}, "
        f"{missed} of {ticks} deadlines missed ({missed / ticks:.0%}); "
        f"{spent}"
    )


if __name__ == "__main__":
    main()
