"""Chooses what to do with a fixture by what it holds."""

from __future__ import annotations

from pathlib import Path

from tests.parity.fixture import Check, Fixture
from tests.parity.slot_models import check_slot_model
from tests.parity.trajectory import check_trajectory
from tests.parity.vrnn import check_vrnn


def run(path: Path) -> list[Check]:
    """Every comparison of a fixture.

    Raises:
        ValueError: the file is no fixture.
    """
    fixture = Fixture(path)
    if fixture.is_model:
        if fixture.is_trajectory:
            return check_trajectory(fixture)
        vrnn = fixture.config["model"] == "VRNN"
        return check_vrnn(fixture) if vrnn else check_slot_model(fixture)
    raise ValueError(f"{path} is no fixture: it has neither config_json, seg/ nor gt")
