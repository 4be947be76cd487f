"""The verb ``bench``: rows by group, kept when it goes on, mistakes, the run for a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from armillary.experiments.evaluation.speed import Check, Row
from armillary.experiments.speed import device
from armillary.experiments.verbs import bench
from tests.experiments.conftest import Command

SMOKE = ("bench", "size=smoke", "output=out")


def found(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "results.json").read_text())


def test_searches_are_measured_shown_and_written(armillary: Command, tmp_path: Path) -> None:
    done = armillary(*SMOKE, "rows=[search]", "seed=3")
    assert done.code == 0, done.err
    results = found(tmp_path)
    assert {row["name"] for row in results["rows"]} == {
        *("cem", "icem", "mppi", "random_shooting", "gradient")
    }
    assert all(row["measured"]["ratio"] > 0 for row in results["rows"])
    assert results["machine"]["processors"] >= 1
    assert results["machine"]["device"] == "cpu"
    assert results["seed"] == 3
    assert results["commit"]
    assert "x plain" in done.out
    assert "problems 2" in done.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["config.yaml", "results.json", "run.json", "run.log"]
    )


def test_rows_that_are_there_are_not_measured_again(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, called = bench.measured, []

    def interrupted(case: Any, setting: Any) -> Row:
        called.append(case.name)
        if len(called) == 4:
            raise KeyboardInterrupt
        return measured(case, setting)

    monkeypatch.setattr(bench, "measured", interrupted)
    assert armillary(*SMOKE, "rows=[search]").code == 130
    before = found(tmp_path)["rows"]
    assert len(before) == 3
    assert not (tmp_path / "out" / bench.SCRATCH).exists()
    assert armillary(*SMOKE, "rows=[search]").code == 0
    after = found(tmp_path)["rows"]
    assert after[:3] == before
    assert len(called) == 4 + len(after) - 3
    monkeypatch.setattr(bench, "made_with", lambda config: {"commit": "another"})
    assert armillary(*SMOKE, "rows=[search]").code == 0
    assert len(called) == 4 + len(after) - 3 + len(after), "of another program nothing is kept"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["size=smok"], ["unknown size 'smok'", "did you mean 'smoke'"]),
        (["rows=[serch]"], ["unknown rows 'serch'", "did you mean 'search'"]),
        (["rows=[]"], ["at least one"]),
        (["models=[sdvea]"], ["unknown models 'sdvea'", "did you mean 'sdvae'"]),
        (["models=[vrnn,vrnn]"], ["each one once"]),
        (["device=gpu"], ["unknown device 'gpu'"]),
        (["threads=0"], ["threads must be at least 1"]),
    ],
)
def test_mistakes(armillary: Command, tmp_path: Path, words: list[str], parts: list[str]) -> None:
    told = armillary("bench", *words, "output=out")
    assert told.code == 2
    for part in parts:
        assert part in told.err
    assert not (tmp_path / "out").exists()


def test_the_size_of_a_demo_is_another_thing(armillary: Command) -> None:
    assert "size: smoke" in armillary(*SMOKE, "--cfg", "job").out
    assert "max_steps: 20" in armillary("demo", "size=smoke", "--cfg", "job").out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_device_checks_need_a_device(armillary: Command) -> None:
    for words in (["--device-checks"], ["device_checks=true"]):
        told = armillary("bench", *words, "output=out")
        assert told.code == 2
        assert "needs a CUDA device" in told.err
    assert "no option 'device_checks'" in armillary("collect", "--device-checks").err


def test_device_checks_are_one_run(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_cases = device.cases
    monkeypatch.setattr(device, "cases", lambda setting: [*all_cases(setting)][-3:-1])
    row = Row(group="training", name="armillary train", settings={}, unit="steps")
    monkeypatch.setattr(device, "end_to_end", lambda setting, rows: row)
    told = Check(name="tests", passed=True, told="1 passed")
    monkeypatch.setattr(device, "marked_tests", lambda deadline: told)
    words = ("bench", "--device-checks", "device=cpu", "models=[slot_dynamics,vrnn]")
    done = armillary(*words, "output=out")
    assert done.code == 0, done.err
    results = found(tmp_path)
    names = [check["name"] for check in results["checks"]]
    assert len(names) == 2 + 5 + 2 + 1, "plans, stages of both, tests"
    assert results["rows"][1]["measured"]
    assert results["rows"][2]["note"] == "a cpu has no tf32"
    assert not any(row.get("reached") for row in results["rows"])
    assert "captured equals eager: vrnn" in done.out
    assert "captured training equals eager: vrnn, open_loop" in names
    failed = Check(name="tests", passed=False, told="1 failed")
    monkeypatch.setattr(device, "marked_tests", lambda deadline: failed)
    over = device.Deadline(0.0)
    monkeypatch.setattr(device, "Deadline", lambda *seconds: over)
    again = armillary(*words, "output=again")
    assert again.code == 1
    assert "10 checks failed: captured equals eager: slot_dynamics, " in again.err
    assert again.err.strip().endswith(", tests")
    assert "no time was left" in again.out
