"""Seconds per plan: for one problem alone, and for each of those planned together."""

import pytest

from armillary.agent.mpc import PlanningTime
from armillary.experiments.planning.timing import seconds_alone, seconds_together


def test_one_problem_and_many_are_told_apart() -> None:
    times = [
        PlanningTime(5.0, 25, 300.0),
        PlanningTime(2.5, 25, 300.0),
        PlanningTime(0.9, 1, 300.0),
    ]
    assert seconds_together(times) == pytest.approx(0.15)
    assert seconds_alone(times) == 0.9
    assert seconds_together(times[2:]) == 0.9
    assert seconds_alone(times[:2]) is None
    assert seconds_together([]) is seconds_alone([]) is None
