"""Chooses what to do with a fixture by what it holds."""

from __future__ import annotations

from pathlib import Path

from tests.parity.fixture import Check, Fixture
from tests.parity.metrics import check_segmentation, check_video
from tests.parity.slot_models import check_slot_model
from tests.parity.trajectory import check_trajectory
from tests.parity.vrnn import check_vrnn

METRIC_TOLERANCE = 2e-5
"""Absolute: PSNR is in dB, all others lie in 0..1."""


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
    groups = {name.split("/")[0] for name in fixture.arrays}
    if groups & {"seg", "video_ar"}:
        errors = check_segmentation(fixture.arrays)
    elif any(name.endswith("/gt") for name in fixture.arrays):
        errors = check_video(fixture.arrays)
    else:
        raise ValueError(f"{path} holds none of config_json, seg/, video_ar/ and N/gt: no fixture")
    return [Check(name, error, METRIC_TOLERANCE) for name, error in errors]
