"""Threads of a run: what the user says, what is recorded, what is free, and what pays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from armillary import processors
from armillary.processors import EVERY, FALL_AFTER, RISE_AFTER, Meter, Usage
from armillary.world_models.checkpoints.checkpoint import load_state, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.training.steps.batches import stage_batches
from armillary.world_models.training.threads import Threads, largest_result
from armillary.world_models.training.trainer import Trainer
from tests.world_models.training.runs import JOINT, STAGED, Recorder, config, fresh


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Four processors, four threads of torch, and a user who says nothing."""
    for name in processors.WAITING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processors, "_affinity", lambda: frozenset(range(4)))
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


class Busy:
    """A meter and a clock: others use ``others`` processors, and a look is due at every step."""

    def __init__(self, others: float = 0.0) -> None:
        self.others, self.time, self.used = others, 0.0, 0.0

    def clock(self) -> float:
        self.time += EVERY
        self.used += EVERY * self.others
        return self.time

    def threads(self, chosen: int | None = None, share: int | None = None) -> Threads:
        return Threads(
            chosen,
            share,
            meter=lambda: Meter(lambda: Usage(self.time, 0.0, self.used)),
            first=lambda most: most,
            clock=self.clock,
        )


def looks(threads: Threads, count: int) -> list[int]:
    seen = []
    for step in range(count):
        threads.look(step)
        seen.append(torch.get_num_threads())
    return seen


def test_threads_fall_when_others_come_and_rise_when_they_go() -> None:
    others = Busy()
    threads = others.threads()
    threads.start()
    assert looks(threads, 5) == [4] * 5
    others.others = 3.0
    assert looks(threads, FALL_AFTER + 3)[-3:] == [1] * 3
    others.others = 0.0
    assert looks(threads, RISE_AFTER + 3)[-1] == 4
    threads.stop()
    assert torch.get_num_threads() == 4


def test_between_two_looks_nothing_is_read() -> None:
    threads = Threads(
        meter=lambda: Meter(lambda: Usage(0.0, 0.0, 0.0)), first=lambda n: n, clock=lambda: 1.0
    )
    threads.start()
    assert looks(threads, 3) == [4] * 3


@pytest.mark.parametrize("variable", processors.NUMBER)
def test_a_number_in_the_environment_is_kept(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "3")
    torch.set_num_threads(3)
    threads = Busy(others=4.0).threads()
    threads.start(recorded=1)
    assert looks(threads, 10) == [3] * 10


def test_a_chosen_number_is_kept_and_given_back() -> None:
    threads = Busy(others=4.0).threads(chosen=2)
    threads.start(recorded=1)
    assert looks(threads, 10) == [2] * 10
    threads.stop()
    assert torch.get_num_threads() == 4


def test_what_torch_was_given_is_the_most() -> None:
    torch.set_num_threads(2)
    threads = Busy().threads()
    threads.start()
    assert looks(threads, 10) == [2] * 10


def test_a_resumed_run_starts_with_its_number() -> None:
    for recorded, number in ((1, 1), (3, 3), (9, 4)):
        threads = Busy().threads()
        threads.start(recorded)
        assert torch.get_num_threads() == number
        threads.stop()


def test_several_processes_share_the_processors() -> None:
    for share, number in ((2, 2), (3, 1), (8, 1)):
        threads = Busy(others=4.0).threads(share=share)
        threads.start()
        assert looks(threads, 10) == [number] * 10
        threads.stop()


def test_a_small_stage_has_one_thread_and_the_run_keeps_its_number(episodes: EpisodeFile) -> None:
    model, stage = fresh(), JOINT[0]
    batch = next(stage_batches(model, episodes.split("train"), stage, seed=0))
    threads = Busy().threads()
    threads.start()
    threads.suit(model, batch, stage, 1)
    assert (torch.get_num_threads(), threads.number) == (1, 4)
    threads.look(0)
    assert torch.get_num_threads() == 1
    threads.whole()
    assert torch.get_num_threads() == 4


def test_sizes_are_counted_without_touching_the_run(episodes: EpisodeFile) -> None:
    model = fresh().train()
    batch = next(stage_batches(model, episodes.split("train"), JOINT[0], seed=0))
    state = torch.get_rng_state()
    counts = [largest_result(model, part, "joint") for part in (batch, *batch.parts(8)[:1])]
    assert counts[0] == 8 * counts[1] >= 8 * 3 * 3 * 8 * 8
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def fit(episodes: EpisodeFile, directory: Path, threads: Threads, **words: Any) -> list[Any]:
    record = Recorder(**words)
    trainer = Trainer(config(STAGED), directory, [record], threads=threads)
    trainer.fit(fresh(), episodes.split("train"), episodes.split("val"))
    return [report.losses for report in record.steps]


def test_a_run_on_a_quiet_machine_resumes_to_the_same_numbers(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    whole = fit(episodes, tmp_path / "whole", Busy().threads())
    first = fit(episodes, tmp_path / "parts", Busy().threads(), stop_at=13)
    second = fit(episodes, tmp_path / "parts", Busy().threads())
    assert first + second == whole


def test_a_saved_run_says_its_number_and_goes_on_with_it(
    episodes: EpisodeFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    fit(episodes, tmp_path, Busy(others=2.0).threads(), stop_at=8)
    assert "2 threads instead of 4, since others leave 2.0 of 4 processors" in caplog.text
    state = load_state(read_info(tmp_path / "checkpoints" / "last"))
    assert state["threads"] == 2
    started: list[int] = []
    resumed = Busy(others=2.0).threads()
    start = resumed.start

    def watched(recorded: int | None = None) -> None:
        start(recorded)
        started.append(resumed.number)

    resumed.start = watched  # type: ignore[method-assign]
    fit(episodes, tmp_path, resumed)
    assert started == [2]
    assert torch.get_num_threads() == 4
