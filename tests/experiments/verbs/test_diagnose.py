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


EVERY = ["as it is", "true dynamics", "true cost", "all true"]


@pytest.mark.parametrize(
    ("planner", "swapped", "why", "more", "other"),
    [
        (
            ["gradient", "restarts=1", "iterations=1"],
            ["true dynamics", "all true"],
            "gradients",
            ["ten times the search", "another search"],
            "cem",
        ),
        (
            ["two_level", "samples=4", "iterations=2", "elites=2"],
            ["true dynamics", "true cost"],
            "steps through",
            ["ten times the search", "another search"],
            "cem",
        ),
        (
            ["inverse_dynamics", "guesses=1"],
            ["true cost", "all true"],
            "slots of another model",
            ["another search"],
            "cem",
        ),
        (
            ["mppi", "samples=4", "iterations=2", "proposals=[inverse_dynamics]"],
            ["true cost", "all true"],
            "slots of another model",
            ["ten times the search", "another search"],
            "mppi",
        ),
    ],
)
def test_what_cannot_be_shown_the_truth_is_played_by_another_search(
    armillary: Command,
    tmp_path: Path,
    planner: list[str],
    swapped: list[str],
    why: str,
    more: list[str],
    other: str,
) -> None:
    words = [word for word in SMALL if not word.startswith("planner.")]
    given = [f"planner={planner[0]}", *(f"planner.{setting}" for setting in planner[1:])]
    if other == "cem":
        given.append(
            "instead={planner:cem,planner.samples:4,planner.iterations:1,planner.elites:2}"
        )
    told = armillary("diagnose", "checkpoint=pretrained/push_blocks", *words, *given, "output=run")
    assert told.code == 0, told.err
    evidence = json.loads((tmp_path / "run/results.json").read_text())["evidence"]
    rows = {row["name"]: row["planner"] for row in evidence["rows"]}
    assert set(rows) == {*EVERY, *more}
    for name in swapped:
        assert rows[name] == other
        (left,) = [one for one in evidence["left_out"] if one.startswith(name)]
        assert why in left
        assert f"another search instead, planner={other}" in left
    against = {one["a"]: one["b"] for one in evidence["comparisons"]}
    assert [against[name] for name in swapped] == ["another search"] * len(swapped)
    assert all(b == "as it is" for a, b in against.items() if a not in swapped)
    assert evidence["surroundings"], "the actions that were right are found by the other search"
    if planner[0] != "two_level":
        assert evidence["stages"]
