"""Threads of verbs that compute: what is free at the start, recorded, kept when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from armillary import processors
from armillary.experiments.command.config import compose
from armillary.experiments.command.verbs import verbs
from armillary.experiments.running.run_directory import recorded
from armillary.experiments.running.threads import COMPUTING, PLANNING, number_for
from armillary.experiments.verbs.evaluate import _threads
from armillary.experiments.verbs.train import trainer_settings


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Four threads of torch, as many processors, of which two are free."""
    for name in processors.WAITING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processors, "usable", lambda: 4)
    numbers = [2]
    monkeypatch.setattr(processors, "first_number", lambda most: min(most, numbers[0]))
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield numbers
    torch.set_num_threads(before)


def test_verbs_that_compute_take_what_is_free() -> None:
    assert {*COMPUTING, *PLANNING} <= set(verbs())
    assert {number_for(verb) for verb in COMPUTING} == {2}
    assert number_for("collect") is None


def test_training_and_planning_look_themselves() -> None:
    assert {number_for(verb) for verb in ("train", *PLANNING)} == {None}


def test_one_where_results_may_not_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert number_for("plan", deterministic=True) == 1
    assert trainer_settings(compose("train", ["deterministic=true"])).threads == 1
    assert trainer_settings(compose("train", [])).threads is None
    words = ["deterministic=true", "trainer.threads=3"]
    assert trainer_settings(compose("train", words)).threads == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert number_for("plan", deterministic=True) == 4
    assert trainer_settings(compose("train", ["deterministic=true"])).threads is None


def test_the_users_number_wins_over_the_recorded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [number_for("render", recorded) for recorded in (1, 3, 9)] == [1, 3, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert number_for("render", 1) == 4


def test_a_run_keeps_its_number_when_it_is_resumed(
    tmp_path: Path, free: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = OmegaConf.create({"output": str(tmp_path / "run"), "seed": 0})
    for others in (2, 4):
        free[0] = others
        with recorded("evaluate", config, []):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 4
        assert json.loads((tmp_path / "run" / "run.json").read_text())["threads"] == 2
    assert "2 of 4 threads" in caplog.text


@pytest.mark.parametrize(
    ("workers", "threads", "each"),
    [(0, None, 4), (2, None, 2), (3, None, 1), (9, None, 1), (2, 3, 3)],
)
def test_workers_times_threads_are_no_more_than_there_are(
    workers: int, threads: int | None, each: int
) -> None:
    assert _threads(OmegaConf.create({"workers": workers, "threads": threads})) == each


def test_the_users_number_is_that_of_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    torch.set_num_threads(3)
    assert _threads(OmegaConf.create({"workers": 2, "threads": None})) == 3


def test_threads_that_torch_was_given_are_no_more_than_the_processors() -> None:
    torch.set_num_threads(16)
    assert _threads(OmegaConf.create({"workers": 2, "threads": None})) == 2
