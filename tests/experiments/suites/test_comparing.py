"""Comparisons are of the same episodes, by hand-made counts."""

from __future__ import annotations

import pytest

from armillary.agent.statistics import episodes_needed, paired_interval, wilson_interval
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.success import Row
from armillary.experiments.planning.kept import Outcome
from armillary.experiments.suites.comparing import compared, trainings

WON = {"a": "1110", "b": "1000", "floor": "0000"}


def row(name: str, won: str, **changes: object) -> Row:
    told = {
        "task": "push",
        "simulator": name,
        "planner": None if name == "floor" else "cem",
        "episodes": len(won),
        "successes": won.count("1"),
        "success_rate": won.count("1") / len(won),
        "ci95": wilson_interval(won.count("1"), len(won)),
        "steps_to_success": None,
        "plan_seconds": None,
        "seed": 0,
        "name": name,
    }
    return Row.model_validate({**told, **changes})


def played(won: str, first: int = 0) -> list[Outcome]:
    return [Outcome(seed=first + i, success=one == "1", steps=3) for i, one in enumerate(won)]


def test_pairs_are_counted_episode_by_episode() -> None:
    rows = [row(name, won) for name, won in WON.items()]
    found = compared(rows, {name: played(won) for name, won in WON.items()})
    assert [(one.a, one.b, one.difference) for one in found] == [
        ("a", "b", 0.5),
        ("a", "floor", 0.75),
        ("b", "floor", 0.25),
    ]
    assert [one.ci95 for one in found] == [paired_interval(n, 0, 4) for n in (2, 3, 1)]
    assert [one.episodes_needed for one in found] == [episodes_needed(n, 0, 4) for n in (2, 3, 1)]
    assert {one.episodes for one in found} == {4}


def test_rows_that_differ_in_two_things_or_in_the_task_are_not_compared() -> None:
    rows = [row("a", "10"), row("b", "10", planner="mppi"), row("c", "10", task="other")]
    assert compared(rows, {name: played("10") for name in "abc"}) == []
    rows[1] = row("b", "10", planner="mppi", simulator="a")
    assert len(compared(rows, {name: played("10") for name in "abc"})) == 1


@pytest.mark.parametrize(
    ("other", "changes"),
    [
        (played("1110", first=5), {}),
        (played("111"), {}),
        (played("1110"), {"success_by": "true places"}),
    ],
)
def test_other_protocols_are_refused(other: list[Outcome], changes: dict[str, str]) -> None:
    rows = [row("a", "1110"), row("b", "1110", **changes)]
    with pytest.raises(UsageError, match=r"a and b cannot be compared.*same protocol"):
        compared(rows, {"a": played("1110"), "b": other})


def test_trainings_of_one_model_are_summed_up() -> None:
    rows = [row(f"a{i}", won, model="a") for i, won in enumerate(("1110", "1000"))]
    (found,) = trainings([*rows, row("b", "1111", model="b")])
    assert (found.model, found.rates, found.mean) == ("a", [0.75, 0.25], 0.5)
    assert tuple(found.range) == (0.25, 0.75)
