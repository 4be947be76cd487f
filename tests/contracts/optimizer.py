"""What every planner that searches promises; an optimizer's test class inherits this suite."""

from __future__ import annotations

import torch

from armillary.contracts.planner import (
    BOUNDS,
    FIELDS,
    PlannerContract,
    assert_same,
    generators,
    squared_distance,
    uniform,
)
from armillary.planners.optimizer import Bounds

__all__ = [
    "BOUNDS",
    "FIELDS",
    "OptimizerContract",
    "assert_same",
    "generators",
    "squared_distance",
    "uniform",
]


class OptimizerContract(PlannerContract):
    """Inherit, name the class ``Test...`` and define ``make``.

    Attributes:
        left: the share of the warm start's cost on a quadratic that may be left, on average.
    """

    left = 0.04

    # What it finds

    def test_finds_the_minimum_of_a_quadratic(self) -> None:
        target, init = uniform(8, 4, seed=1), uniform(8, 4, seed=2)
        plan = self.solve(target, init)
        before = squared_distance(target)(init.unsqueeze(1))[:, 0]
        assert (plan.cost / before).mean() < self.left

    def test_finds_a_minimum_outside_the_bounds_on_their_border(self) -> None:
        target = BOUNDS.high.expand(4, 3, -1) + 1.0
        plan = self.solve(target, uniform(4, 3))
        assert (plan.actions <= BOUNDS.high).all()
        room = (BOUNDS.high - plan.actions) / (BOUNDS.high - BOUNDS.low)
        assert room.mean() < 0.3

    def test_more_samples_are_better(self) -> None:
        target, init = uniform(40, 5, seed=1), uniform(40, 5, seed=2)
        few, many = (self.solve(target, init, samples).cost for samples in (64, 512))
        assert many.mean() < few.mean()
        assert (many < few).float().mean() > 0.6

    def test_an_action_without_range_stays_put(self) -> None:
        bounds = Bounds(torch.tensor([-1.0, 0.3]), torch.tensor([1.0, 0.3]))
        plan = self.ask(
            lambda actions: actions.square().sum((2, 3)),
            torch.zeros(1, 3, 2),
            generators(1),
            bounds=bounds,
        )
        assert (plan.actions[..., 1] == bounds.low[1]).all()
        assert plan.cost.isfinite().all()

    # Randomness

    def test_generators_decide(self) -> None:
        target, init = uniform(2, 4, seed=1), uniform(2, 4)
        assert_same(self.solve(target, init), self.solve(target, init))
        assert not torch.equal(
            self.solve(target, init).actions, self.solve(target, init, first=7).actions
        )

    def test_bounds_that_round_outwards_are_kept(self) -> None:
        """A tenth in float32 is more than a tenth in float64."""
        tenth = torch.tensor([0.1], dtype=torch.float64)
        bounds = Bounds(-tenth, tenth)
        plan = self.ask(
            lambda actions: -actions.sum((2, 3)), torch.zeros(2, 3, 1), generators(2), bounds=bounds
        )
        assert (plan.actions.double() <= bounds.high).all()
