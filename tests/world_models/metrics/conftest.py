"""The recorded values that some tests compare with, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "reference" / "parity"


def recorded(name: str) -> dict[str, np.ndarray]:
    """The arrays of a recorded file; the test is skipped where it is absent."""
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with np.load(path) as arrays:
        return dict(arrays)
