"""The loop at a fixed rate keeps its time, plans ahead, and bridges plans that are late."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

SCRIPT = Path(__file__).parents[2] / "examples" / "asynchronous_control.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("asynchronous_control", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class Env:
    """Its frames count the steps; ends after a few."""

    def __init__(self, steps: int) -> None:
        self._steps, self.taken = steps, []

    def reset(self, seed: int) -> tuple[dict[str, int], dict[str, Any]]:
        return {"frame": 0}, {}

    def step(self, action: Any) -> tuple[dict[str, int], float, bool, bool, dict[str, Any]]:
        self.taken.append(float(action[0]))
        done = len(self.taken)
        return {"frame": done}, 0.0, False, done == self._steps, {"is_success": False}


class Later(Future[Any]):
    """Done after so many ticks, or when somebody waits for it."""

    def __init__(self, ticks: int, task: Callable[[], Any]) -> None:
        super().__init__()
        self._left, self._task = ticks, task

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.set_result(self._task())

    def result(self, timeout: float | None = None) -> Any:
        return super().result() if self.done() else self._task()


class Lagging(Executor):
    """Finishes what it is given after so many ticks, one number for each task."""

    def __init__(self, lags: list[int]) -> None:
        self._lags, self._last = lags, Later(0, lambda: None)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._last = Later(self._lags.pop(0), lambda: fn(*args, **kwargs))
        return self._last

    def tick(self) -> None:
        self._last.tick()


class Planner:
    """Plans whose actions are 10 (the plan's number) + the step, and the frames that it saw."""

    def __init__(self) -> None:
        self.plans, self.seen, self.executed, self.started_from = 0, [], [], []

    def begin(self, observation: dict[str, int], seed: int) -> Tensor:
        return self._next()

    def ahead(self, seen: list[Any], action: Tensor, init: Tensor) -> Tensor:
        self.seen.append([observation["frame"] for _, observation in seen])
        self.executed.append(float(action[0]))
        self.started_from.append(init.flatten().tolist())
        return self._next()

    def rest(self, plan: Tensor, done: int) -> Tensor:
        return torch.cat([plan[done:], torch.zeros(min(done, len(plan)), 1)])

    def _next(self) -> Tensor:
        self.plans += 1
        return 10.0 * self.plans + torch.arange(3.0).view(3, 1)


def play(example: ModuleType, lags: list[int]) -> SimpleNamespace:
    """As many ticks as the lags take."""
    env, planner, pool = Env(len(lags)), Planner(), Lagging([*lags])
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        pool.tick()

    record = example.control(env, planner, 0, 4.0, pool, lambda: now[0], sleep)
    return SimpleNamespace(record=record, env=env, planner=planner, slept=slept)


def test_every_action_is_of_the_plan_that_was_made_while_the_last_one_was_executed(
    example: ModuleType,
) -> None:
    played = play(example, [1, 1, 1, 1])
    assert played.env.taken == [10.0, 20.0, 30.0, 40.0]
    assert played.planner.executed == played.env.taken
    assert played.planner.seen == [[], [1], [2], [3]]
    assert played.planner.started_from[1] == [21.0, 22.0, 0.0]
    assert played.slept == [0.25] * 4
    assert (played.record.ticks, played.record.missed) == (4, 0)
    assert played.record.seconds == 1.0


def test_a_missed_deadline_falls_back_on_the_shifted_plan_and_the_late_one_is_shifted_too(
    example: ModuleType,
) -> None:
    # The first plan ahead, for step 1, is ready two ticks late; the next ones are in time.
    played = play(example, [3, 1, 1, 1, 1])
    assert played.env.taken == [10.0, 11.0, 12.0, 22.0, 30.0]
    assert played.record.missed == 3
    assert played.planner.seen[:2] == [[], [1, 2, 3]]
    assert len(played.record.planning) == 2


def test_a_plan_that_is_used_up_ends_in_middling_actions(example: ModuleType) -> None:
    played = play(example, [9, 9, 9, 9, 9])
    assert played.env.taken == [10.0, 11.0, 12.0, 0.0, 0.0]
    assert played.record.missed == 4


def test_it_plays_push_blocks_and_prints_rate_and_deadlines(
    example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--episodes 2 --steps 3 --samples 8 --iterations 1 --horizon 3 --hz 20 --device cpu"
    records = example.main(words.split())
    assert [one.ticks for one in records] == [3, 3]
    shown = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"seed 1: not reached in 3 steps, \d deadlines missed", shown[1])
    assert re.search(r"0 of 2 reached; \d+\.\d\d Hz of 20, \d of 6 deadlines missed", shown[2])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--hz 0", "must be above 0, got 0"),
        ("--episodes 0", "must be at least 1, got 0"),
        ("--seed -1", "must be at least 0, got -1"),
        ("--checkpoint nowhere", "nowhere"),
    ],
)
def test_words_that_do_not_fit_are_told(
    example: ModuleType, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        example.main(words.split())
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_episodes_that_end_before_a_plan_is_ready_have_no_time_of_one(example: ModuleType) -> None:
    line = example.summary([example.Record(ticks=2, missed=1, seconds=0.1)], 20.0)
    assert line.endswith("no plan was ready before its episode ended")
