"""Who judges, by what, and how far a goal is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from armillary.envs.image_goal.images import Seen
from armillary.envs.image_goal.success import Judge, difference
from armillary.errors import ArmillaryError

DARK, GREY = (np.full((4, 4, 3), value, np.uint8) for value in (0, 51))
NOW, GOAL = Seen(DARK, np.zeros(2)), Seen(GREY, np.array([0.3, 0.4]))


def judged(success: Any, tolerance: float, now: Seen = NOW, goal: Seen = GOAL, **told: Any):
    return Judge(success, "won", tolerance).judge(now, goal, {"seen": 1}, told, begins=False)


def test_a_difference_is_the_root_of_the_mean_square() -> None:
    assert difference(np.array([1, 5]), np.array([4, 1])) == pytest.approx(12.5**0.5)
    assert difference(DARK, GREY, 255.0) == difference(GREY, DARK, 255.0) == pytest.approx(0.2)


def test_images_and_states_are_near_within_the_tolerance() -> None:
    apart = (0.125) ** 0.5  # of the states
    for success in (None, "state"):
        assert judged(success, 1.01 * apart) == (True, pytest.approx(apart))
        assert judged(success, 0.99 * apart) == (False, pytest.approx(apart))
    assert judged("image", 0.21) == (True, pytest.approx(0.2))
    assert judged("image", 0.19) == (False, pytest.approx(0.2))


def test_states_that_cannot_be_compared_are_not() -> None:
    for other in (None, np.zeros(3)):
        assert judged(None, 1.0, goal=Seen(GREY, other)) == (True, pytest.approx(0.2))
        with pytest.raises(ArmillaryError, match="states of one shape"):
            judged("state", 1.0, goal=Seen(GREY, other))
        with pytest.raises(ArmillaryError, match="states of one shape"):
            judged("state", 1.0, now=Seen(DARK, other))
    assert judged(None, 1.0, Seen(DARK, None), Seen(GREY, None)) == (True, pytest.approx(0.2))


def test_a_flag_or_a_function_decides_whatever_the_distance() -> None:
    assert judged("flag", 0.01, won=np.bool_(True)) == (True, pytest.approx(0.2))
    assert judged("flag", 9.0, won=False)[0] is False
    with pytest.raises(ArmillaryError, match="'won'"):
        judged("flag", 9.0)
    flag = Judge("flag", "won", 1.0)
    assert flag.judge(NOW, GOAL, {}, {}, begins=True)[0] is False
    assert flag.judge(NOW, GOAL, {}, {"won": 1}, begins=True)[0] is True
    seen = []
    assert judged(lambda *told: seen.append(told) or 1, 0.01, a=2) == (True, pytest.approx(0.2))
    assert seen == [({"seen": 1}, {"a": 2})]
