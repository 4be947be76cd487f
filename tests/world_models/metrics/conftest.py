"""The recorded values that some tests compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

RECORDED = Path(__file__).resolve().parents[2] / "parity" / "fixtures"


def recorded(name: str) -> dict[str, np.ndarray]:
    """The arrays of a recorded file."""
    with np.load(RECORDED / name) as arrays:
        return dict(arrays)
