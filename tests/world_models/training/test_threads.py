"""Threads of a run of training: what is recorded, and what pays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from armillary.threads import Threads
from armillary.world_models.checkpoints.checkpoint import load_state, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.training import trainer
from armillary.world_models.training.steps.batches import stage_batches
from armillary.world_models.training.threads import largest_result, suit
from armillary.world_models.training.trainer import Trainer
from tests.busy import Busy, four_processors
from tests.world_models.training.runs import JOINT, STAGED, Recorder, config, fresh


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    with four_processors():
        yield


def test_a_small_stage_has_one_thread_and_the_run_keeps_its_number(episodes: EpisodeFile) -> None:
    model, stage = fresh(), JOINT[0]
    batch = next(stage_batches(model, episodes.split("train"), stage, seed=0))
    threads = Busy().threads()
    threads.start()
    suit(threads, model, batch, stage, 1)
    assert (torch.get_num_threads(), threads.number) == (1, 4)
    threads.look()
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
    run = Trainer(config(STAGED), directory, [record], threads=threads)
    run.fit(fresh(), episodes.split("train"), episodes.split("val"))
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


def test_the_processes_that_read_clips_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(trainer, "Threads", lambda *numbers: given.append(numbers))
    Trainer(config(STAGED, workers=3, threads=2), tmp_path)
    assert given == [(2, None, 3)]
