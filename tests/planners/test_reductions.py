"""Reductions over time and over particles, and their limits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.planners.reductions import RISK, TIME, CVaR, Discounted, Table, named


@pytest.fixture
def costs() -> Tensor:
    return torch.rand(3, 4, 10, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("spec", "table", "expected"),
    [
        ("last", TIME, 3.0),
        ("mean", TIME, 3.0),
        ("least", TIME, 1.0),
        ("greatest", TIME, 6.0),
        ("discounted:0.5", TIME, (2 + 6 / 2 + 1 / 4 + 3 / 8) / (1 + 1 / 2 + 1 / 4 + 1 / 8)),
        ("mean", RISK, 3.0),
        ("best", RISK, 1.0),
        ("worst", RISK, 6.0),
        ("cvar:0.5", RISK, 4.5),
        ("cvar:0.6", RISK, 11 / 3),
    ],
)
def test_each_by_name(spec: str, table: Table, expected: float) -> None:
    costs = torch.tensor([[2.0, 6.0, 1.0, 3.0]])
    assert_close(named(spec, table)(costs), torch.tensor([expected]))


def test_limits_of_cvar(costs: Tensor) -> None:
    assert_close(CVaR(0.0)(costs), costs.amax(-1))
    assert_close(CVaR(1e-9)(costs), costs.amax(-1))
    assert_close(CVaR(1.0)(costs), costs.mean(-1))
    milder = torch.stack([CVaR(alpha)(costs) for alpha in (0.0, 0.3, 0.7, 1.0)])
    assert (milder.diff(dim=0) < 0).all()


@pytest.mark.parametrize(("alpha", "particles"), [(0.07, 100), (0.28, 25), (0.14, 50)])
def test_shares_that_are_whole_particles_stay_whole(alpha: float, particles: int) -> None:
    costs = torch.arange(float(particles))
    assert CVaR(alpha)(costs) == costs[-7:].mean()


def test_limits_of_discounting(costs: Tensor) -> None:
    assert_close(Discounted(1.0)(costs), costs.mean(-1))
    assert_close(Discounted(1e-6)(costs), costs[..., 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("spec", ["mean", "worst", "best", "cvar:0.0", "cvar:0.3"])
def test_one_particle_is_itself(spec: str, costs: Tensor) -> None:
    assert_close(named(spec, RISK)(costs[..., :1]), costs[..., 0])


@pytest.mark.parametrize("spec", ["mean", "worst", "best", "cvar:0.3"])
def test_a_particle_that_is_nan_spoils_its_candidate_alone(spec: str, costs: Tensor) -> None:
    costs[0, 1, 2] = torch.nan
    reduced = named(spec, RISK)(costs)
    assert reduced.isnan().nonzero().tolist() == [[0, 1]]


def test_a_function_is_taken_as_it_is(costs: Tensor) -> None:
    assert_close(named(Discounted(0.5), TIME)(costs), named("discounted:0.5", TIME)(costs))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("wurst", "unknown reduction 'wurst'; did you mean 'worst'.*best, cvar, mean, worst"),
        ("cvar", "'cvar' is written 'cvar:NUMBER', got 'cvar'"),
        ("mean:0.5", "'mean' takes no number, got 'mean:0.5'"),
        ("cvar:1.5", r"alpha must be in \[0, 1\], got 1.5"),
        ("cvar:few", "'cvar' is written 'cvar:NUMBER', got 'cvar:few'"),
    ],
)
def test_refuses_other_names_and_numbers(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        named(spec, RISK)


@pytest.mark.parametrize("gamma", [0.0, 1.1, float("nan")])
def test_refuses_other_discounts(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"gamma must be in \(0, 1\], got"):
        Discounted(gamma)
