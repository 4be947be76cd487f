"""Comparing images a few at a time: the same whatever the number, in the order that they had."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from armillary.world_models.metrics.pairs import compare


def differences(pred: Tensor, target: Tensor) -> Tensor:
    """(U, S, C, H, W) and (U, C, H, W) -> (2, U, S), which tells every pair from every other."""
    away = pred - target.unsqueeze(1)
    return torch.stack([away.flatten(2).sum(2), away.flatten(2).prod(2)])


@pytest.mark.parametrize("shared", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 1000])
def test_pieces_change_nothing(shared: tuple[int, ...], at_once: int) -> None:
    leading, generator = (2, 3, 5), torch.Generator().manual_seed(0)
    pred = torch.rand(*leading, 1, 2, 2, generator=generator)
    sizes = [1 if dim in shared else size for dim, size in enumerate(leading)]
    target = torch.rand(*sizes, 1, 2, 2, generator=generator)
    asked: list[int] = []

    def function(x: Tensor, y: Tensor) -> Tensor:
        asked.append(x.shape[0] * x.shape[1])
        return differences(x, y)

    found = compare(pred, target, function, values=4 * at_once)
    away = pred - target
    expected = torch.stack([away.flatten(3).sum(3), away.flatten(3).prod(3)])
    assert torch.allclose(found, expected, atol=1e-6)
    assert max(asked) <= max(1, at_once)
    assert sum(asked) == 30


def test_a_single_image_and_an_absent_dimension() -> None:
    pred, target = torch.rand(4, 1, 2, 2), torch.rand(1, 2, 2)
    assert torch.allclose(compare(pred, target, differences)[0], (pred - target).sum((1, 2, 3)))
    assert compare(pred[0], target, differences).shape == (2,)
