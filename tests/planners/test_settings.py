"""Settings of the searches: what is allowed to the very border, and what they are by default."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import generators
from armillary.errors import ArmillaryError
from armillary.planners.categorical_cem import CategoricalCEM
from armillary.planners.cem import CEM
from armillary.planners.cem_gradient import CEMGradient
from armillary.planners.gradient import Gradient
from armillary.planners.icem import ICEM
from armillary.planners.mppi import MPPI
from armillary.planners.optimizer import Bounds, Plan
from armillary.planners.predictive_sampling import PredictiveSampling
from armillary.planners.random_shooting import RandomShooting
from armillary.planners.template.sampling import colouring

BOUNDS = Bounds(torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 4.0]))

SAMPLING = (CEM, ICEM, MPPI, RandomShooting, PredictiveSampling)
NOISY = (*SAMPLING, Gradient, CEMGradient)
FITTING = (CEM, ICEM, CategoricalCEM)


@pytest.mark.parametrize(
    ("kinds", "allowed", "refused"),
    [
        ((*SAMPLING, Gradient, CategoricalCEM), {"iterations": 1}, {"iterations": 0}),
        ((*SAMPLING, CategoricalCEM), {"samples": 40}, {"samples": 1}),
        ((*SAMPLING, Gradient), {"tolerance": 0.999}, {"tolerance": 1.0}),
        (NOISY, {"std": 2.0}, {"std": math.inf}),
        (NOISY, {"noise_exponent": 0.0}, {"noise_exponent": -0.1}),
        (NOISY, {"noise_exponent": 9.0}, {"noise_exponent": math.inf}),
        (FITTING, {"elites": 1}, {"elites": 0}),
        (FITTING, {"samples": 40, "elites": 40}, {"samples": 40, "elites": 41}),
        (FITTING, {"momentum": 0.0}, {"momentum": -0.1}),
        (FITTING, {"momentum": 0.999}, {"momentum": 1.0}),
        ((CEM,), {"std": 0.4, "min_std": 0.4}, {"std": 0.4, "min_std": 0.41}),
        ((CEM,), {"min_std": 0.0}, {"min_std": -0.1}),
        ((ICEM,), {"decay": 1.0}, {"decay": 0.999}),
        ((ICEM,), {"keep": 0.0}, {"keep": -0.1}),
        ((ICEM,), {"keep": 1.0}, {"keep": 1.1}),
        ((MPPI,), {"decay": 1.0}, {"decay": 1.001}),
        ((MPPI,), {"decay": 0.01}, {"decay": 0.0}),
        ((MPPI,), {"temperature": 1e-9}, {"temperature": 0.0}),
        ((MPPI,), {"temperature": 1e29}, {"temperature": math.inf}),
        ((Gradient,), {"restarts": 1}, {"restarts": 0}),
        ((Gradient, CEMGradient), {"learning_rate": 1.0}, {"learning_rate": 1.001}),
        ((Gradient, CEMGradient), {"learning_rate": 1e-9}, {"learning_rate": 0.0}),
        ((CEMGradient,), {"iterations": 3, "steps": 2}, {"iterations": 3, "steps": 3}),
        ((CEMGradient,), {"steps": 1}, {"steps": 0}),
        ((CEMGradient,), {"samples": 2, "elites": 2, "refined": 2}, {"samples": 1, "elites": 1}),
        ((CEMGradient,), {"elites": 12, "refined": 12}, {"elites": 12, "refined": 13}),
        ((CEMGradient,), {"refined": 1}, {"refined": 0}),
    ],
)
def test_what_is_allowed_is_allowed_to_the_border(
    kinds: tuple[Any, ...], allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    for kind in kinds:
        kind(**allowed)
        with pytest.raises(ValueError, match="must be"):
            kind(**refused)


@pytest.mark.parametrize("kind", [*SAMPLING, Gradient, CategoricalCEM])
def test_what_is_no_number_is_told(kind: Any) -> None:
    whole = "restarts" if kind is Gradient else "samples"
    kind(**{whole: np.int64(40)})
    for wrong in (None, True, "40", 40.0, math.nan):
        with pytest.raises(ArmillaryError, match=rf"{whole} must be a whole number.*got {wrong}"):
            kind(**{whole: wrong})
    for wrong in (None, True, "0.1"):
        with pytest.raises(ArmillaryError, match=rf"tolerance must be a number, got {wrong}"):
            kind(tolerance=wrong)
    for names in ([["shifted"]], "shifted", None, [None], {"shifted"}):
        with pytest.raises(ArmillaryError, match="proposals must be a list that names each one"):
            kind(proposals=names)


def planned(search: Any, problems: int, horizon: int = 4) -> tuple[Plan, Tensor]:
    """A plan and the first population (B, S, T, A), in halves of the range around its middle."""
    seen: list[Tensor] = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions.detach().clone())
        return actions.square().sum((2, 3))

    middle, half = (BOUNDS.high + BOUNDS.low) / 2, (BOUNDS.high - BOUNDS.low) / 2
    init = middle.expand(problems, horizon, 2)
    plan = search.optimize(score, init, BOUNDS, generators(problems))
    return plan, (seen[0] - middle) / half


@pytest.mark.parametrize(
    ("search", "evaluations"),
    [
        (CEM(), 3000),
        (ICEM(), 1335 + 9 * 3),
        (MPPI(), 3000),
        (RandomShooting(), 3000),
        (PredictiveSampling(), 32),
        (Gradient(), 16 * 30),
        (Gradient(method="lbfgs"), 16 * 30),
        (CEMGradient(), 5 * 300 + 10 * 10),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_plan_asks_of_the_model_by_default(search: Any, evaluations: int) -> None:
    assert planned(search, 1)[0].evaluations.tolist() == [evaluations]


def test_what_a_plan_of_choices_asks_of_the_model_by_default() -> None:
    bounds, elites = Bounds.one_hot(3), []

    def score(actions: Tensor) -> Tensor:
        elites.append(actions[0, :, :, 0].sum(1).topk(30).values.mean() / 4)
        return -actions[..., 0].sum(2)

    search = CategoricalCEM(iterations=1)
    plan = search.optimize(score, torch.zeros(1, 4, 3), bounds, generators(1))
    assert plan.evaluations.tolist() == [300]
    expected = 0.9 * elites[0] + 0.1 / 3  # of 30 elites, and a tenth of what was even
    assert plan.mean[0, :, 0].mean() == pytest.approx(expected)
    assert CategoricalCEM().iterations == 10


@pytest.mark.parametrize(
    ("search", "std", "exponent"),
    [
        (CEM(samples=300, iterations=1), 0.5, 0.0),
        (ICEM(samples=300, iterations=1), 0.5, 2.5),
        (MPPI(samples=300, iterations=1), 0.5, 0.0),
        (RandomShooting(samples=300, iterations=1), 1.0, 0.0),
        (PredictiveSampling(samples=300), 0.3, 2.0),
        (Gradient(restarts=300, iterations=1), 0.5, 2.0),
        (CEMGradient(samples=300, iterations=2, steps=1), 0.5, 0.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_how_the_first_candidates_spread_by_default(
    search: Any, std: float, exponent: float
) -> None:
    """Clipping leaves the signs: those of two times agree as their correlation says."""
    _, population = planned(search, 40)
    drawn = population[:, 1:].flatten(0, 1)
    middling = drawn.abs().flatten().quantile(0.3)
    assert middling.item() == pytest.approx(std * 0.3853, rel=0.04)
    coloured = colouring(4, exponent)
    correlation = float((coloured @ coloured.T)[0, 1])
    agree = (drawn[:, 0].sign() == drawn[:, 1].sign()).float().mean().item()
    assert agree == pytest.approx(0.5 + math.asin(correlation) / math.pi, abs=0.015)
