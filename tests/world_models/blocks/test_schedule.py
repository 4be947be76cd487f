"""Schedules: what a clip's frames are used for."""

from __future__ import annotations

import pytest

from armillary.errors import ArmillaryError
from armillary.world_models.blocks.schedule import expand


@pytest.mark.parametrize(
    ("objective", "length", "expected"),
    [
        ("U", 5, "I I U U U"),
        ("D", 3, "I I D"),
        ("I", 3, "I I I"),
        ("IDU", 4, "I D U U"),
        ("IIBMSD", 4, "I I BMS D"),
        ("BMSD", 6, "I I BMS D D D"),
        ("DBMS", 4, "I I D BMS"),
    ],
)
def test_the_context_comes_first_and_the_last_symbol_repeats(
    objective: str, length: int, expected: str
) -> None:
    assert expand(objective, context_length=2, length=length) == tuple(expected.split())


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("", "unknown objective"),
        ("IB", "unknown objective"),
        ("X", "symbols I, D, BMS, U"),
        ("DDDD", "at least 6 frames .with a context of 2., got 5"),
        ("UD", "after U"),
        ("IIUDU", "after U"),
    ],
)
def test_what_is_no_schedule_is_explained(objective: str, message: str) -> None:
    with pytest.raises(ArmillaryError, match=message):
        expand(objective, context_length=2, length=5)
