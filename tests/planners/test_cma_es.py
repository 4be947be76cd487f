"""CMA-ES."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import OptimizerContract, generators
from armillary.planners.cem import CEM
from armillary.planners.cma_es import CMAES
from armillary.planners.optimizer import Bounds

BOUNDS = Bounds(-torch.ones(2), torch.ones(2))


def test_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(ValueError, match=r"pip install 'armillary\[cma\]'"):
        CMAES()


class TestCMAES(OptimizerContract):
    left = 0.3

    @pytest.fixture(autouse=True)
    def library(self) -> None:
        pytest.importorskip("cma")

    def make(self, samples: int = 200) -> CMAES:
        return CMAES(samples=max(8, samples // 10), iterations=10)


def ellipsoid(actions: Tensor) -> Tensor:
    """A narrow valley: the sum of the actions matters a hundred times as much as each one."""
    return 100 * (actions.sum((2, 3)) - 1).square() + (actions - 0.5).square().sum((2, 3))


def test_follows_narrow_valleys_further_than_cem_with_fewer_evaluations() -> None:
    pytest.importorskip("cma")
    plans = [
        search.optimize(ellipsoid, torch.zeros(4, 3, 2), BOUNDS, generators(4))
        for search in (CMAES(iterations=120), CEM())
    ]
    assert plans[0].cost.mean() < plans[1].cost.mean()
    assert (plans[0].evaluations < 0.5 * plans[1].evaluations).all()


def test_leaves_numpys_generator_alone() -> None:
    pytest.importorskip("cma")
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    CMAES(iterations=3).optimize(ellipsoid, torch.zeros(1, 3, 2), BOUNDS, generators(1))
    assert (np.random.get_state(legacy=False)["state"]["key"] == before).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 2}, "samples must be a whole number of at least 4, got 2"),
        ({"std": 0.0}, "std must be positive and finite, got 0.0"),
    ],
)
def test_refuses_bad_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CMAES(**arguments)  # pyright: ignore[reportArgumentType]


def test_the_first_candidates_are_around_the_warm_start() -> None:
    low, high = torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 3.0])
    init, seen = low + 0.6 * torch.rand(3, 4, 2) * (high - low) + 0.2 * (high - low), []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions)
        return actions.square().sum((2, 3))

    search = CMAES(samples=20, iterations=1, std=0.01)
    plan = search.optimize(score, init, Bounds(low, high), generators(3))
    away = (seen[0][:, :20] - init.unsqueeze(1)) / ((high - low) / 2)
    assert away.abs().max() < 0.06
    assert away.std().item() == pytest.approx(0.01, rel=0.15)
    assert torch.equal(seen[0][:, 20], init)
    assert (plan.mean - init).abs().max() < 0.1
