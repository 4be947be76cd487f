"""What a run was done under, also where its configuration was damaged."""

from __future__ import annotations

import pytest

from armillary.experiments.pages.conditions import _many


@pytest.mark.parametrize(
    ("number", "told"),
    [("1", "1 step"), ("1200", "1200 steps"), ("${.a}", "${.a} steps"), ("²", "² steps")],
)
def test_a_number_of_steps_or_what_stands_in_its_place(number: str, told: str) -> None:
    assert _many(number) == told
