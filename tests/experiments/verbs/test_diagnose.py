"""The verb diagnose: its files, its page, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.experiments.conftest import Command

SMALL = (
    *("planner.samples=8", "planner.iterations=2", "planner.elites=2", "horizon=4"),
    *("replan_interval=4", "task.max_steps=6", "episodes=2", "looks=1", "workers=0"),
)


def test_a_verdict_its_evidence_and_a_page(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    told = armillary("diagnose", f"checkpoint={checkpoint}", *SMALL, "output=run")
    assert told.code == 0, told.err
    found = json.loads((tmp_path / "run/results.json").read_text())
    assert found["verdict"] in ("model", "cost", "search", "none")
    assert f"verdict: {found['verdict']}." in told.out
    evidence = found["evidence"]
    names = ["as it is", "true dynamics", "true cost", "ten times the search", "all true"]
    assert [row["name"] for row in evidence["rows"]] == names
    assert [one["a"] for one in evidence["comparisons"]] == names[1:]
    assert {one["b"] for one in evidence["comparisons"]} == {"as it is"}
    assert [one["stage"] for one in evidence["stages"]] == [0, 1]
    assert len(evidence["imagination"]["imagined"]) == 4
    assert evidence["sight"]["things"] > 0
    assert not (tmp_path / "run/partial").exists()
    page = (tmp_path / "run/index.html").read_text()
    assert evidence["reasons"][0] in page
    for title in ("One part exchanged at a time", "Rank correlation", "Squared error of slots"):
        assert title in page
    assert armillary("report", "run", "output=page.html").code == 0


def test_what_does_not_plan_is_refused(armillary: Command) -> None:
    told = armillary("diagnose", "checkpoint=random", "output=run")
    assert told.code == 2
    assert "random does not plan" in told.err


@pytest.mark.parametrize(
    ("planner", "exchange", "why"),
    [
        (["gradient", "restarts=1", "iterations=1"], "true dynamics", "no gradients"),
        (["two_level", "samples=4", "iterations=2", "elites=2"], "true cost", "steps through"),
        (["inverse_dynamics", "guesses=1"], "true cost", "slots of another model"),
    ],
)
def test_a_planner_that_cannot_be_shown_the_truth_is_told(
    armillary: Command, tmp_path: Path, planner: list[str], exchange: str, why: str
) -> None:
    words = [word for word in SMALL if not word.startswith("planner.")]
    more = [f"planner={planner[0]}", *(f"planner.{setting}" for setting in planner[1:])]
    told = armillary("diagnose", "checkpoint=pretrained/push_blocks", *words, *more, "output=run")
    assert told.code == 0, told.err
    left = json.loads((tmp_path / "run/results.json").read_text())["evidence"]["left_out"]
    assert any(one.startswith(exchange) and why in one for one in left), left
