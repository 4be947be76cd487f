"""The bounds of actions."""

from __future__ import annotations

import pytest
import torch

from armillary.planners.optimizer import Bounds


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([0.0, 0.0], [1.0], r"must be \(A,\) both, got \(2,\) and \(1,\)"),
        ([[0.0]], [[1.0]], r"must be \(A,\) both, got \(1, 1\)"),
        ([0.0, 2.0], [1.0, 1.0], r"low <= high, got low=\[0.0, 2.0\] and high=\[1.0, 1.0\]"),
        ([0.0], [float("inf")], r"finite.* got low=\[0.0\] and high=\[inf\]"),
        ([float("nan")], [1.0], "finite"),
    ],
)
def test_bounds_that_are_no_box_are_refused(low: list, high: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bounds(torch.tensor(low), torch.tensor(high))
