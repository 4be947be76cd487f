"""Exact minimum-cost assignment of slots to slots, batched, on the device of the costs."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from armillary.determinism import exporting
from armillary.errors import ArmillaryError

MOST_ON_DEVICE = 12
"""Rows up to which nothing waits for the device of the costs."""
_ENTRIES_AT_ONCE = 1 << 20


def assign(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Matches rows to columns one to one so that the summed cost is least.

    Up to 12 rows a dynamic programme over the subsets of columns that the first rows use (Held &
    Karp 1962) is solved for the whole batch at once; beyond that the Hungarian method
    (``scipy.optimize.linear_sum_assignment``) runs on the CPU, one matrix at a time.

    Args:
        cost: (..., K, K), finite.

    Returns:
        The column of each row (..., K) int64 and the least total (...).

    Raises:
        ArmillaryError: the matrices are not square, or hold NaN or inf.
    """
    size = _size(cost)
    broken = int((~cost.isfinite()).any(-1).any(-1).sum())
    if broken:
        raise ArmillaryError(
            f"costs must be finite to be assigned, but {broken} of "
            f"{cost[..., 0, 0].numel()} matrices hold NaN or inf"
        )
    matched = [
        (_walk_back(part, best := _subset_totals(part)), best[-1])
        if size <= MOST_ON_DEVICE
        else _hungarian(part)
        for part in _parts(cost)
    ]
    chosen = torch.cat([columns for columns, _ in matched], 1)
    totals = torch.cat([totals for _, totals in matched])
    return chosen.T.reshape(cost.shape[:-1]), totals.view(cost.shape[:-2])


def columns(cost: Tensor) -> Tensor:
    """The column of each row alone, (..., K, K) -> (..., K) int64; waits for no device up to 12.

    A matrix that holds a NaN is not refused: what it is assigned means nothing.

    Raises:
        ArmillaryError: the matrices are not square.
    """
    if _size(cost) <= MOST_ON_DEVICE:
        chosen = [_walk_back(part, _subset_totals(part)) for part in _parts(cost)]
    else:
        chosen = [_hungarian(part)[0] for part in _parts(cost.nan_to_num())]
    return torch.cat(chosen, 1).T.reshape(cost.shape[:-1])


def least_total(cost: Tensor) -> Tensor:
    """The least total alone, (..., K, K) -> (...): faster than ``assign``.

    A matrix that holds a NaN is not refused: its total is NaN, so that a search can go on without
    that candidate.

    Raises:
        ArmillaryError: the matrices are not square.
    """
    if _size(cost) <= MOST_ON_DEVICE:
        totals = [_subset_totals(part)[-1] for part in _parts(cost)]
    else:
        known = cost.isfinite().all(-1).all(-1)
        safe = cost.where(known[..., None, None], 0.0)
        totals = [torch.cat([_hungarian(part)[1] for part in _parts(safe)])]
        totals = [totals[0].masked_fill(~known.flatten(), torch.nan)]
    return torch.cat(totals).view(cost.shape[:-2])


def _size(cost: Tensor) -> int:
    if cost.ndim < 2 or cost.shape[-1] != cost.shape[-2] or cost.shape[-1] == 0:
        raise ArmillaryError(f"cost must be (..., K, K) with K >= 1, got {tuple(cost.shape)}")
    return cost.shape[-1]


def _parts(cost: Tensor) -> tuple[Tensor, ...]:
    """(..., K, K) -> pieces (K, K, n) that bound the memory; the batch comes last to vectorise."""
    size = cost.shape[-1]
    widest = max(len(members) for members, _, _ in _transitions(size, cost.device))
    count = max(1, _ENTRIES_AT_ONCE // (widest * size))
    matrices = cost.reshape(-1, size, size).permute(1, 2, 0).contiguous()
    return (matrices,) if exporting() else matrices.split(count, 2)  # a program takes any number


@lru_cache(maxsize=32)
def _transitions(size: int, device: torch.device) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Per row r: the subsets of r + 1 columns, the columns in each, the subsets without each.

    A subset is a bit mask; the last two tensors are flat, r + 1 entries for each subset.
    """
    steps = []
    for row in range(size):
        chosen = np.array(list(combinations(range(size), row + 1)))
        subsets = (1 << chosen).sum(1)
        without = subsets[:, None] - (1 << chosen)
        steps.append(tuple(torch.from_numpy(x).to(device) for x in (subsets, chosen, without)))
    return [(subsets, chosen.flatten(), without.flatten()) for subsets, chosen, without in steps]


def _subset_totals(cost: Tensor) -> Tensor:
    """(K, K, N) -> (2^K, N): the least total of the first rows when they use just these columns."""
    size, _, count = cost.shape
    best = cost.new_zeros(1 << size, count)
    for row, (subsets, columns, without) in enumerate(_transitions(size, cost.device)):
        options = best.index_select(0, without).add_(cost[row].index_select(0, columns))
        best.index_copy_(0, subsets, options.view(-1, row + 1, count).amin(1))
    return best


def _walk_back(cost: Tensor, best: Tensor) -> Tensor:
    """The columns (K, N) that reach the totals of ``_subset_totals``, from the last row up."""
    size, _, count = cost.shape
    bits = 1 << torch.arange(size, device=cost.device).unsqueeze(1)
    left = torch.full((count,), (1 << size) - 1, device=cost.device)
    columns = []
    for row in reversed(range(size)):
        options = best.gather(0, left & ~bits) + cost[row]
        column = options.masked_fill((left & bits) == 0, torch.inf).argmin(0)
        columns.append(column)
        left = left & ~(1 << column)
    return torch.stack(columns[::-1])


def _hungarian(cost: Tensor) -> tuple[Tensor, Tensor]:
    """(K, K, N) -> columns (K, N) and totals (N,)."""
    matrices = cost.permute(2, 0, 1).cpu().double().numpy()
    matched = [linear_sum_assignment(matrix) for matrix in matrices]
    columns = np.stack([chosen for _, chosen in matched], 1)
    totals = [matrix[match].sum() for matrix, match in zip(matrices, matched, strict=True)]
    return torch.from_numpy(columns).to(cost.device), cost.new_tensor(totals)
