"""The exact assignment against scipy's, for every size class, on random and degenerate costs."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from armillary.world_models.assignment import assign, least_total

SIZES = [1, 2, 3, 5, 6, 7, 9, 12, 14]


def reference(cost: Tensor) -> Tensor:
    """Scipy's least totals in float64, (N, K, K) -> (N,)."""
    matrices = cost.double().numpy()
    matched = [matrix[linear_sum_assignment(matrix)].sum() for matrix in matrices]
    return torch.tensor(np.array(matched)).to(cost.dtype)


def degenerate(size: int) -> Tensor:
    """Ties, constants, identical rows, negatives, huge ranges: (7, K, K)."""
    generator = torch.Generator().manual_seed(size)
    drawn = torch.rand(size, size, generator=generator)
    return torch.stack(
        [
            torch.zeros(size, size),
            torch.full((size, size), 3.5),
            torch.eye(size),
            -torch.eye(size),
            drawn[:1].expand(size, -1),
            (drawn * 3).floor() - 1,
            drawn * torch.tensor([1e-6, 1e6]).repeat(size)[:size],
        ]
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["random", "degenerate"])
def test_agrees_with_scipy(size: int, kind: str) -> None:
    generator = torch.Generator().manual_seed(size)
    cost = torch.randn(40, size, size, generator=generator)
    cost = cost if kind == "random" else degenerate(size)
    columns, total = assign(cost)
    torch.testing.assert_close(total, reference(cost))
    torch.testing.assert_close(least_total(cost), total)
    torch.testing.assert_close(cost.gather(2, columns.unsqueeze(-1)).sum((1, 2)), total)
    assert columns.dtype == torch.int64
    assert torch.equal(columns.sort(-1).values, torch.arange(size).expand_as(columns))


@pytest.mark.parametrize("size", [4, 8])
def test_large_batches_with_leading_dimensions(size: int) -> None:
    cost = torch.randn(3, 5, 2000, size, size, generator=torch.Generator().manual_seed(0))
    columns, total = assign(cost)
    assert columns.shape == (3, 5, 2000, size)
    assert total.shape == (3, 5, 2000)
    some = cost[1, 2, :50]
    torch.testing.assert_close(total[1, 2, :50], reference(some))
    assert torch.equal(least_total(some), least_total(cost)[1, 2, :50])


def test_pieces_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = torch.randn(101, 5, 5, generator=torch.Generator().manual_seed(0))
    columns, total = assign(cost)
    monkeypatch.setattr("armillary.world_models.assignment._ENTRIES_AT_ONCE", 500)
    assert torch.equal(assign(cost)[0], columns)
    assert torch.equal(least_total(cost), total)


def test_known_matching() -> None:
    permutation = torch.tensor([2, 0, 3, 1])
    cost = 1.0 - torch.nn.functional.one_hot(permutation, 4).float()
    columns, total = assign(cost)
    assert torch.equal(columns, permutation)
    assert total == 0.0


@pytest.mark.parametrize("size", [3, 13])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused_by_one_and_contained_by_the_other(
    size: int, bad: float
) -> None:
    cost = torch.rand(4, size, size)
    cost[2, 1, :] = bad
    with pytest.raises(ValueError, match=r"finite.*1 of 4"):
        assign(cost)
    totals = least_total(cost)
    assert not totals[2].isfinite()
    assert torch.equal(totals[[0, 1, 3]], least_total(cost[[0, 1, 3]]))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (5, 2, 3), (4, 0, 0)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    for function in (assign, least_total):
        with pytest.raises(ValueError, match=r"must be \(\.\.\., K, K\)"):
            function(torch.zeros(shape))


def test_is_fast_enough_for_the_inner_loop() -> None:
    """300 candidates x 8 steps of 6 slots; about 0.7 ms on one free core, 3 ms are wanted."""
    cost = torch.rand(2400, 6, 6)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = []
        for _ in range(20):
            started = time.thread_time()
            least_total(cost)
            seconds.append(time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    assert min(seconds) < 3e-3
