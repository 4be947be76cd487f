"""The objective: weights, time, risk."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.imagined import SHAPE, GivenReader, goal, rollout, view
from armillary.planners.costs import LatentDistance, PixelDistance
from armillary.planners.objective import Objective, Term
from armillary.world_models.simulator import Goal, Rollout


@dataclass(frozen=True)
class Given:
    """A cost known beforehand."""

    values: Tensor

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        return self.values


@dataclass(frozen=True)
class Uncalled:
    """A cost that must not be computed."""

    def __call__(self, rollout: Rollout, goal: Goal) -> Tensor:
        raise AssertionError


def random(seed: int) -> Given:
    return Given(torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)))


AIM = goal(view(), [0, 1, 2, 3], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0])


def test_sums_weighted_costs_then_reduces_time_then_particles() -> None:
    one, two = random(1), random(2)
    objective = Objective({"one": Term(one), "two": Term(two, 0.5)}, time="least", risk="worst")
    expected = (one.values + 0.5 * two.values).amin(-1).amax(-1)
    assert_close(objective(rollout(), AIM), expected)
    terms = objective.terms(rollout(), AIM)
    assert_close(terms["two"], 0.5 * two.values.amin(-1).amax(-1))


def test_terms_add_up_where_time_and_risk_are_means() -> None:
    objective = Objective({"one": Term(random(1), 3.0), "two": Term(random(2), 0.5)})
    scores, terms = objective(rollout(), AIM), objective.terms(rollout(), AIM)
    assert scores.shape == SHAPE[:2]
    assert list(terms) == ["one", "two"]
    assert_close(terms["one"] + terms["two"], scores)


def test_terms_are_reduced_by_themselves_only_for_those_who_ask() -> None:
    reduced = []

    def risk(costs: Tensor) -> Tensor:
        reduced.append(costs)
        return costs.mean(-1)

    objective = Objective({"one": Term(random(1)), "two": Term(random(2))}, risk=risk)
    objective(rollout(), AIM)
    assert len(reduced) == 1
    objective.terms(rollout(), AIM)
    assert len(reduced) == 3


def test_one_decoding_serves_all_pixel_costs() -> None:
    reader = GivenReader()
    objective = Objective(
        {
            "pixel": Term(PixelDistance()),
            "again": Term(PixelDistance()),
            "x": Term(LatentDistance()),
        }
    )
    objective(rollout(reader=reader), AIM)
    assert reader.decoded == 1


def test_a_cost_without_weight_is_not_computed() -> None:
    objective = Objective({"one": Term(random(1)), "off": Term(Uncalled(), 0.0)})
    assert list(objective.terms(rollout(), AIM)) == ["one"]


def test_refuses_a_cost_of_another_shape() -> None:
    objective = Objective({"short": Term(Given(torch.zeros(SHAPE[:3])))})
    with pytest.raises(ValueError, match=r"'short' must be \(B, S, P, T\) = \(2, 3, 2, 4\)"):
        objective(rollout(), AIM)


def test_refuses_bad_settings() -> None:
    with pytest.raises(ValueError, match="weight must be at least 0 and finite, got -1"):
        Term(random(1), -1.0)
    with pytest.raises(ValueError, match="needs a term with a weight above 0, got no term"):
        Objective({})
    with pytest.raises(ValueError, match=r"weight above 0, got \['off'\]"):
        Objective({"off": Term(random(1), 0.0)})
    with pytest.raises(ValueError, match="'lst'; did you mean 'last'"):
        Objective({"one": Term(random(1))}, time="lst")
    with pytest.raises(ValueError, match="'cvra'; did you mean 'cvar'"):
        Objective({"one": Term(random(1))}, risk="cvra")
