"""What a search remembers: the first of the best, whatever the size of its populations."""

from __future__ import annotations

import pytest
import torch

from armillary.contracts.optimizer import (
    BOUNDS,
    assert_same,
    generators,
    squared_distance,
    uniform,
)
from armillary.planners.icem import ICEM
from armillary.planners.optimizer import Plan
from armillary.planners.template import record
from armillary.planners.template.record import Record


def test_large_populations_are_reduced_without_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def solve() -> Plan:
        score = squared_distance(uniform(3, 4, seed=1))
        return ICEM(samples=50).optimize(score, uniform(3, 4), BOUNDS, generators(3))

    plan = solve()
    monkeypatch.setattr(record, "_HELD", 0)
    assert_same(plan, solve())


def test_the_first_of_equals_is_the_best() -> None:
    kept = Record()
    kept.add(torch.tensor([[[1.0], [2.0]]]), torch.tensor([[5.0, 5.0]]))
    kept.add(torch.tensor([[[3.0], [4.0]]]), torch.tensor([[7.0, 5.0]]))
    cost, best, history = kept.result()
    assert (cost.item(), best.item()) == (5.0, 1.0)
    assert torch.equal(history, torch.tensor([[5.0], [5.0]]))


def test_what_is_no_number_loses() -> None:
    kept = Record()
    scores = kept.add(torch.arange(4.0).view(1, 4, 1), torch.tensor([[torch.nan, 2.0, -9.0, 1.0]]))
    assert torch.equal(scores, torch.tensor([[torch.inf, 2.0, -9.0, 1.0]]))
    scores = kept.add(torch.zeros(1, 1, 1), torch.tensor([[-torch.inf]]))
    assert torch.equal(scores, torch.tensor([[torch.inf]]))
    assert kept.result()[0].item() == -9.0
    assert kept.count == 5
