"""GECO: a warm-up, then a constraint whose weight follows what it misses."""

from __future__ import annotations

import math

import pytest
import torch

from armillary.world_models.blocks.geco import Geco

SOFTPLUS = math.log1p(math.exp(0.55))  # of 0.55, with which beta begins


def test_in_the_warm_up_the_likelihood_counts_once() -> None:
    geco, nll = Geco(target=-10.0, warm_start=3), torch.tensor(8.0, requires_grad=True)
    assert [geco.weight(step).item() for step in (0, 2)] == [1.0, 1.0]
    assert geco.loss(nll, step=2, frames=4).item() == 8.0
    geco.finish_step(5.0, step=2)
    assert geco.average.item() == 0.0
    assert geco.steps.item() == 3


def test_afterwards_the_loss_is_the_averages_and_its_gradient_the_batchs() -> None:
    geco, nll = Geco(target=-10.0, warm_start=3), torch.tensor(8.0, requires_grad=True)
    geco.finish_step(2.0, step=3)
    assert geco.average.item() == -12.0
    loss = geco.loss(nll, step=3, frames=4)
    loss.backward()
    assert loss.item() == pytest.approx(12.0 * SOFTPLUS, rel=1e-4)
    assert nll.grad is not None
    assert nll.grad.item() == pytest.approx(SOFTPLUS / 4, rel=1e-4)
    assert geco.weight(torch.tensor(3)).item() == pytest.approx(SOFTPLUS, rel=1e-4)


def test_the_weight_rises_while_the_target_is_missed_and_falls_to_its_least() -> None:
    geco = Geco(target=-10.0, warm_start=0, decay=0.75, step_size=0.1)
    geco.finish_step(2.0, step=0)
    assert geco.beta.item() == pytest.approx(0.55)
    geco.finish_step(-2.0, step=1)
    assert geco.average.item() == pytest.approx(0.75 * -12.0 + 0.25 * -8.0)
    assert geco.beta.item() == pytest.approx(0.55 + 0.1 * 11.0)
    for step in range(2, 12):
        geco.finish_step(-30.0, step)
    assert geco.beta.item() == pytest.approx(0.55)
