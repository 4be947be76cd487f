"""CEM over discrete actions, written as one-hot vectors or as numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import assert_same, generators
from armillary.planners.categorical_cem import CategoricalCEM
from armillary.planners.cem import CEM
from armillary.planners.optimizer import Bounds, Plan
from armillary.planners.template.choices import Choices

SIZES = (3, 5)
WAYS = [Bounds.one_hot(*SIZES), Bounds.index(*SIZES)]
HORIZON = 6
SEARCH = CategoricalCEM(samples=100, elites=10)
both_ways = pytest.mark.parametrize("bounds", WAYS, ids=["one_hot", "index"])


def drawn(*leading: int, seed: int = 0) -> Tensor:
    """Options (*leading, 2)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(n, leading, generator=generator) for n in SIZES], -1)


def written(bounds: Bounds, options: Tensor) -> Tensor:
    return Choices(bounds.low, bounds.choices, bounds.is_one_hot).actions(options)


def solve(bounds: Bounds, goal: Tensor, search: CategoricalCEM = SEARCH, first: int = 0) -> Plan:
    """Counts the options that differ from the goal's (B, T, 2)."""
    target = written(bounds, goal).unsqueeze(1)

    def score(actions: Tensor) -> Tensor:
        return (actions != target).any(-1).sum(-1).float() + (actions - target).abs().sum((2, 3))

    init = torch.zeros(len(goal), HORIZON, len(bounds.low))
    return search.optimize(score, init, bounds, generators(len(goal), first))


@both_ways
def test_finds_the_options(bounds: Bounds) -> None:
    goal = drawn(5, HORIZON)
    plan = solve(bounds, goal, CategoricalCEM())
    assert torch.equal(plan.actions, written(bounds, goal))
    assert (plan.cost == 0).all()


@both_ways
def test_more_samples_are_better(bounds: Bounds) -> None:
    goal = drawn(20, HORIZON)
    few, many = (
        solve(bounds, goal, CategoricalCEM(samples=n, iterations=3, elites=4)).cost.mean()
        for n in (8, 200)
    )
    assert many < few


@both_ways
def test_every_candidate_is_a_choice_even_of_strange_starts(bounds: Bounds) -> None:
    allowed = written(bounds, torch.cartesian_prod(*[torch.arange(n) for n in SIZES]))

    def score(actions: Tensor) -> Tensor:
        assert (actions.unsqueeze(-2) == allowed).all(-1).any(-1).all()
        return actions.sum((2, 3))

    init = torch.full((2, 4, len(bounds.low)), 0.6)
    proposals = 3 * torch.randn(2, 3, 4, len(bounds.low), generator=generators(1)[0])
    plan = SEARCH.optimize(score, init, bounds, generators(2), proposals)
    assert plan.evaluations.tolist() == [10 * 100 + 3] * 2


@both_ways
def test_the_warm_start_and_the_proposals_are_candidates(bounds: Bounds) -> None:
    goal = written(bounds, drawn(2, HORIZON))
    search = CategoricalCEM(samples=2, iterations=1, elites=1)

    def score(actions: Tensor) -> Tensor:
        return (actions - goal.unsqueeze(1)).abs().sum((2, 3))

    plan = search.optimize(score, goal, bounds, generators(2))
    assert torch.equal(plan.actions, goal)
    start = torch.zeros_like(goal)
    plan = search.optimize(score, start, bounds, generators(2), goal.unsqueeze(1))
    assert torch.equal(plan.actions, goal)


@both_ways
def test_a_plan_does_not_depend_on_who_shares_its_batch(bounds: Bounds) -> None:
    search = CategoricalCEM(samples=30, iterations=4, elites=5)
    goal = drawn(4, HORIZON)
    together = solve(bounds, goal, search)
    for b in range(4):
        assert_same(solve(bounds, goal[b : b + 1], search, first=b), together, row=b)
    assert not torch.equal(together.actions, solve(bounds, goal, search, first=9).actions)


def test_options_are_equally_likely_at_first() -> None:
    def score(actions: Tensor) -> Tensor:
        shares = actions[0, 1:].mean((0, 1))
        wanted = torch.tensor([1 / 3] * 3 + [1 / 5] * 5)
        assert torch.allclose(shares, wanted, atol=0.02)
        return actions.sum((2, 3))

    search = CategoricalCEM(samples=4000, iterations=1)
    search.optimize(score, torch.zeros(1, 4, 8), WAYS[0], generators(1))


def test_numbers_may_start_elsewhere() -> None:
    bounds = Bounds(torch.tensor([-1.0]), torch.tensor([1.0]), (3,))
    plan = SEARCH.optimize(
        lambda actions: actions.square().sum((2, 3)), torch.ones(1, 4, 1), bounds, generators(1)
    )
    assert torch.equal(plan.actions, torch.zeros(1, 4, 1))


def test_each_refuses_what_the_other_is_for_and_names_it() -> None:
    with pytest.raises(ValueError, match="planner=categorical_cem fits"):
        CEM().optimize(lambda a: a.sum((2, 3)), torch.zeros(1, 2, 8), WAYS[0], generators(1))
    box = Bounds(torch.zeros(2), torch.ones(2))
    with pytest.raises(ValueError, match="planner=cem fits"):
        SEARCH.optimize(lambda a: a.sum((2, 3)), torch.zeros(1, 2, 2), box, generators(1))


@pytest.mark.parametrize(
    ("low", "high", "choices"),
    [([0.0, 0.0], [1.0, 1.0], (3,)), ([0.0], [2.5], (3,)), ([0.0, 0.0], [2.0, 2.0], (2,))],
)
def test_choices_that_do_not_fit_the_bounds_are_refused(
    low: list[float], high: list[float], choices: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="numbers with as many values"):
        Bounds(torch.tensor(low), torch.tensor(high), choices)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="elites must be at most samples=10, got 11"):
        CategoricalCEM(samples=10, elites=11)
    with pytest.raises(ValueError, match="samples must be a whole number of at least 2, got 1"):
        CategoricalCEM(samples=1, elites=1)
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\), got 1"):
        CategoricalCEM(momentum=1.0)


@both_ways
def test_the_plans_mean_and_spread_are_those_of_the_options(bounds: Bounds) -> None:
    """Of one iteration, whose elites are all candidates."""
    seen = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions)
        return actions.sum((2, 3))

    search = CategoricalCEM(samples=50, elites=50, iterations=1, momentum=0.0)
    init = written(bounds, drawn(2, HORIZON))
    plan = search.optimize(score, init, bounds, generators(2))
    torch.testing.assert_close(plan.mean, seen[0].mean(1))
    torch.testing.assert_close(plan.spread, seen[0].std(1, correction=0), atol=1e-5, rtol=1e-5)
    half = CategoricalCEM(samples=50, elites=50, iterations=1, momentum=0.5)
    even = written(bounds, torch.cartesian_prod(*[torch.arange(n) for n in SIZES])).mean(0)
    mixed = half.optimize(score, init, bounds, generators(2))
    torch.testing.assert_close(mixed.mean, (seen[0].mean(1) + even) / 2)
