"""Proposals that join a search: which they are, and that they must fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from armillary.contracts.optimizer import BOUNDS, generators, squared_distance, uniform
from armillary.errors import ArmillaryError
from armillary.planners.cem import CEM
from armillary.planners.gradient import Gradient
from armillary.planners.optimizer import Bounds, Plan
from armillary.planners.proposals.inverse_dynamics import InverseDynamicsGuess
from armillary.planners.proposals.stored import Stored, save
from armillary.planners.states.two_level import TwoLevel
from armillary.planners.template.search import Search
from armillary.world_models.goals.places import view_of
from tests.planners.proposals.conftest import untrained
from tests.planners.situations import situation

ALL = ("shifted", "retrieval", "inverse_dynamics")


def sizes(search: Search, shifted: int = 4) -> list[int]:
    """How many candidates every population has."""
    seen: list[int] = []

    def score(actions: Tensor) -> Tensor:
        seen.append(actions.shape[1])
        return actions.square().sum((2, 3))

    init, elites = uniform(2, 5), uniform(2, shifted, 5)
    search.optimize(situation(score, init), init, BOUNDS, generators(2), elites)
    return seen


@pytest.mark.parametrize(
    ("names", "more"),
    [
        ((), 0),
        (("shifted",), 4),
        (("retrieval",), 16),
        (["inverse_dynamics"], 16),
        (ALL, 36),
    ],
)
def test_they_join_the_first_population(names: tuple[str, ...], more: int, stored: Stored) -> None:
    settings = {"proposals": names, "proposals_from": str(stored.path)}
    assert sizes(CEM(samples=40, iterations=2, **settings)) == [40 + more, 40]
    assert sizes(Gradient(restarts=8, iterations=1, **settings)) == [8 + more]
    assert sizes(TwoLevel(samples=40, iterations=2, **settings)) == [40 + more, 2]


def test_by_default_nothing_is_read() -> None:
    assert CEM().proposals == ("shifted",)
    assert sizes(CEM(samples=40, iterations=1, proposals_from="nowhere")) == [44]


def plan(
    stored: Stored, bounds: Bounds = BOUNDS, horizon: int = 5, name: str = "retrieval"
) -> Plan:
    init = torch.zeros(1, horizon, len(bounds.low))
    search = CEM(samples=40, proposals=[name], proposals_from=str(stored.path))
    asked = situation(squared_distance(init), init)
    return search.optimize(asked, init, bounds, generators(1))


def test_actions_of_another_size_are_refused(stored: Stored) -> None:
    with pytest.raises(ArmillaryError, match=r"actions of size 3, the task's have 2;.*data\.path"):
        plan(stored, Bounds(-torch.ones(2), torch.ones(2)))


def test_actions_that_leave_the_bounds_are_refused(stored: Stored) -> None:
    narrow = Bounds(BOUNDS.low * 0.5, BOUNDS.high)
    with pytest.raises(ArmillaryError, match=r"actions from \[-2.0, -0.5.*leave the task's bounds"):
        plan(stored, narrow)
    assert plan(stored, Bounds(BOUNDS.low - 1, BOUNDS.high + 1)).cost.isfinite().all()


def test_a_longer_plan_than_the_network_guesses_is_refused(stored: Stored) -> None:
    with pytest.raises(
        ArmillaryError,
        match=r"propose 20 steps, the plan has 21; set horizon=20, or.*horizon=21",
    ):
        plan(stored, horizon=21, name="inverse_dynamics")
    assert plan(stored, horizon=21).actions.shape == (1, 21, 3)


def test_more_guesses_than_the_network_makes_are_refused(stored: Stored) -> None:
    init = uniform(1, 3)
    asked = situation(squared_distance(init), init)
    most = stored.network.guesses

    def guess(guesses: int) -> Plan:
        search = InverseDynamicsGuess(guesses=guesses, proposals_from=str(stored.path))
        return search.optimize(asked, init, BOUNDS, generators(1))

    assert guess(most).cost.isfinite().all()
    with pytest.raises(ArmillaryError, match=rf"make {most} guesses, got guesses={most + 1}"):
        guess(most + 1)


def test_those_of_another_model_are_refused(stored: Stored, tmp_path: Path) -> None:
    other = replace(stored, path=tmp_path / "other", identity="another")
    save(other)
    with pytest.raises(ArmillaryError, match="learnt from the slots of another model"):
        plan(other)


def test_a_goal_that_says_no_more_than_places_has_no_slots_to_go_to(stored: Stored) -> None:
    init = uniform(1, 3)
    asked = situation(squared_distance(init), init)
    placed = replace(asked, goal=replace(asked.goal, view=view_of(torch.zeros(1, 1, 2))))
    search = CEM(proposals=["inverse_dynamics"], proposals_from=str(stored.path))
    with pytest.raises(ArmillaryError, match=r"the goal has no slots.*proposals=\[shifted\]"):
        search.optimize(placed, init, BOUNDS, generators(1))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["retreival"], "unknown proposals 'retreival'; did you mean 'retrieval'"),
        (["shifted", "shifted"], "a list that names each one once"),
        ("retrieval", "must be a list"),
    ],
)
def test_wrong_names_are_told(names: list[str], message: str) -> None:
    with pytest.raises(ArmillaryError, match=message):
        CEM(proposals=names)


def test_a_function_of_actions_is_refused(stored: Stored) -> None:
    search = CEM(proposals=["retrieval"], proposals_from=str(stored.path))
    with pytest.raises(ArmillaryError, match=r"planner.proposals=\[retrieval\] looks at states"):
        search.optimize(squared_distance(uniform(1, 3)), uniform(1, 3), BOUNDS, generators(1))


def test_missing_ones_are_told_before_anything_is_planned(tmp_path: Path) -> None:
    with pytest.raises(ArmillaryError, match=r"no proposals.*train-proposals.*proposals_from=DIR"):
        CEM(proposals=["retrieval"], proposals_from=str(tmp_path))


def test_networks_of_any_size_are_stored(tmp_path: Path, stored: Stored) -> None:
    network = untrained(horizon=3, guesses=2, width=8, layers=1, heads=2)
    save(replace(stored, path=tmp_path / "small", network=network))
    small = replace(stored, path=tmp_path / "small")
    assert plan(small, horizon=3, name="inverse_dynamics").cost.isfinite().all()


def test_what_fitted_is_checked_again_for_other_bounds(stored: Stored) -> None:
    planner = InverseDynamicsGuess(proposals_from=str(stored.path))
    posed = situation(lambda actions: actions.square().sum((2, 3)), init := uniform(2, 5))
    for bounds in (BOUNDS, Bounds(BOUNDS.low.clone(), BOUNDS.high.clone())):
        assert planner.optimize(posed, init, bounds, generators(2)).actions.shape == init.shape
    with pytest.raises(ArmillaryError, match="leave the task's bounds"):
        planner.optimize(posed, init, Bounds(BOUNDS.low / 2, BOUNDS.high / 2), generators(2))


def test_what_does_not_fit_is_told_before_anything_is_planned(stored: Stored) -> None:
    simulator = situation(squared_distance, uniform(2, 5)).simulator
    wide = Bounds(BOUNDS.low / 2, BOUNDS.high / 2)
    read = {"proposals_from": str(stored.path)}
    fitting = CEM(proposals=["inverse_dynamics"], **read)
    for planner in (fitting, InverseDynamicsGuess(**read)):
        planner.check_problem(simulator, BOUNDS, stored.network.horizon)
        with pytest.raises(ArmillaryError, match="the plan has"):
            planner.check_problem(simulator, BOUNDS, stored.network.horizon + 1)
        with pytest.raises(ArmillaryError, match="leave the task's bounds"):
            planner.check_problem(simulator, wide, 5)
    with pytest.raises(ArmillaryError, match="needs continuous actions"):
        CEM().check_problem(simulator, Bounds.one_hot(2), 5)
    CEM(proposals=["retrieval"], **read).check_problem(simulator, BOUNDS, 1000)
