"""The published initialisation: how wide, and of which layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from armillary.world_models.blocks.initialisation import initialise


def test_weights_are_xaviers_and_biases_zero() -> None:
    torch.manual_seed(0)
    linear, convolution = nn.Linear(300, 100), nn.Conv2d(30, 10, 5, bias=False)
    norm, cell = nn.BatchNorm2d(2000), nn.GRUCell(4, 4)
    kept = [parameter.clone() for parameter in cell.parameters()]
    initialise(nn.ModuleList([linear, nn.Sequential(convolution, norm), cell]), gain=0.5)
    assert linear.weight.std().item() == pytest.approx(0.5 * (2 / 400) ** 0.5, rel=0.05)
    assert convolution.weight.std().item() == pytest.approx(0.5 * (2 / 1000) ** 0.5, rel=0.05)
    assert not linear.bias.any()
    assert norm.weight.mean().item() == pytest.approx(1.0, abs=0.002)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not norm.bias.any()
    assert all(map(torch.equal, cell.parameters(), kept))
