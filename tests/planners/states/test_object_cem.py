"""Picks are where objects are, also after they were moved; places are searched around the goal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.optimizer import generators
from armillary.errors import ArmillaryError
from armillary.planners.costs import LatentDistance, ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.planners.optimizer import Bounds, Plan
from armillary.planners.situation import Situation
from armillary.planners.states.object_cem import ObjectCEM
from armillary.planners.template.problem import Problem
from armillary.world_models.goals.places import view_of
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.simulator import Goal, Rollout, View
from armillary.world_models.state import LatentState, Scene
from tests.world_models.toy import ToyModel, ToyState

BOUNDS = Bounds(torch.full((4,), -2.0), torch.full((4,), 2.0))
REACH = 0.1


@dataclass(frozen=True)
class Places(LatentState):
    """(N, K, 2)."""

    place: Tensor


class Table:
    """Things on a table: an action moves what is within reach of its pick."""

    context_length, action_size = 1, 4
    device = torch.device("cpu")
    identity = "table"

    def __init__(self, moved: bool = False) -> None:
        self.moved = moved

    def handles(self, state: Places) -> Tensor:
        return state.place

    def view(self, state: Places) -> View[Places]:
        return View(state, (len(state),), self)

    def step(self, state: Places, actions: Tensor) -> Places:
        apart = (state.place - actions[:, None, :2]).abs().amax(-1, keepdim=True)
        put = actions[:, None, 2:] + self.moved * state.place
        return Places(torch.where(apart < REACH, put, state.place))

    def rollout(self, state: Places, actions: Tensor, generators: object = None) -> Rollout[Places]:
        states = [state.repeat(actions.shape[1])]
        for taken in actions.flatten(0, 1).unbind(1):
            states.append(self.step(states[-1], taken))
        shape = (*actions.shape[:2], 1, actions.shape[2])
        return self.view(Places.stack(states[1:], 1).flatten(2)).imagined(shape, actions)

    def score(self, state: Places, actions: Tensor, objective, goal: Goal, generators=None):
        return objective(self.rollout(state, actions), goal)

    def slots(self, state: Places) -> Tensor:
        return state.place

    positions = slots

    def decode(self, state: Places) -> Scene:
        raise AssertionError("there is nothing to be seen")

    frames = masks = decode


def posed(problems: int = 3, things: int = 4, moved: bool = False) -> Situation:
    """Thing 0 is none to be moved; the goal's rows are in another order."""
    generator = torch.Generator().manual_seed(0)
    here, there = torch.rand(2, problems, things, 2, generator=generator) * 3.0 - 1.5
    there[:, 0] = here[:, 0]
    order = torch.tensor([0, 2, 3, 1])
    objects = torch.tensor([0.0, 1.0, 1.0, 1.0]).expand(problems, -1)
    table = Table(moved)
    assignment = order.argsort().expand(problems, -1)
    goal = Goal(table.view(Places(there[:, order])), assignment, objects, 0 * objects)
    objective = Objective({"slots": Term(LatentDistance())}, time="last")
    return Situation(table, Places(here), objective, goal, [])  # type: ignore[arg-type]


def planned(
    asked: Situation, horizon: int = 3, first: int = 0, bounds: Bounds = BOUNDS, **settings: Any
) -> Plan:
    count = len(asked.state)
    return ObjectCEM(**settings).optimize(
        asked, torch.zeros(count, horizon, 4), bounds, generators(count, first)
    )


def test_everything_is_put_where_the_goal_has_it() -> None:
    plan = planned(posed(), samples=200, iterations=8, elites=20)
    assert (plan.cost < 0.003).all()
    assert (plan.actions.abs() <= 2.0).all()


def test_a_thing_is_picked_again_where_it_was_put() -> None:
    """Five actions for three things: some thing is moved twice, and no pick misses."""
    asked, horizon = posed(), 5
    plan = planned(asked, horizon)
    state = asked.state
    for actions in plan.actions.unbind(1):
        after = asked.simulator.step(state, actions)
        moved = (after.place - state.place).abs().sum(-1) > 0
        assert (moved.sum(1) == 1).all()
        assert not moved[:, 0].any()
        state = after


class Misread(Table):
    """Tells where things are a little wrong, and imagines what is true."""

    def handles(self, state: Places) -> Tensor:
        return state.place + 1.5 * REACH


def test_moves_are_learnt_of_the_thing_that_was_drawn_though_another_is_nearer() -> None:
    """Two things a hair apart: what each of them was drawn to do is what is fitted to it."""
    asked = posed()
    place = asked.state.place.clone()
    place[:, 2] = place[:, 1] + 0.02
    asked = replace(asked, state=Places(place))
    search, size = ObjectCEM(samples=64, elites=64, iterations=1, pick_std=0.05), (3, 2, 4)
    problem = Problem(asked, torch.zeros(size), BOUNDS, generators(3), None)
    moves = search.start(problem)
    drawn, candidates = moves.things[:, 1:], moves.carried
    assert candidates is not None
    scores = torch.zeros(candidates.shape[:2])
    scores[:, 0] = torch.inf  # the warm start
    chosen, _ = search._followed(moves, candidates[:, 1:].unflatten(2, size[1:]), drawn)
    assert torch.equal(chosen[..., 0].argmax(-1), drawn)
    nearest, _ = search._followed(
        moves, candidates[:, 1:].unflatten(2, size[1:]), torch.full_like(drawn, -1)
    )
    assert not torch.equal(nearest[..., 0].argmax(-1), drawn)
    fitted = search.update(moves, candidates, scores).shares
    counts = torch.nn.functional.one_hot(drawn, 4).float().mean(1)
    expected = counts.lerp(moves.shares, search.momentum)
    assert_close(fitted, expected, atol=0.02, rtol=0)


def test_picks_are_tried_beside_where_things_are_read_to_be() -> None:
    asked = posed()
    misread = Situation(Misread(), asked.state, asked.objective, asked.goal, [])  # type: ignore[arg-type]
    missed = planned(misread, horizon=1, samples=200)
    after = misread.simulator.step(asked.state, missed.actions[:, 0])
    assert torch.equal(after.place, asked.state.place)
    found = planned(misread, horizon=1, samples=200, pick_std=0.05)
    after = misread.simulator.step(asked.state, found.actions[:, 0])
    assert ((after.place - asked.state.place).abs().sum((1, 2)) > 0).all()
    assert (found.cost < missed.cost).all()


def test_what_the_goal_does_not_show_is_still_moved_where_that_helps() -> None:
    """Thing 1 stands in the way: only what moves it first is cheap."""

    def in_the_way(rollout: Any, goal: Goal) -> Tensor:
        first = rollout.positions[:, :, :, :, 1]
        left = (first - asked.state.place[:, None, None, None, 1]).square().sum(-1)
        return 1.0 / (0.1 + left)

    asked = posed()
    shown = torch.tensor([1.0, 0.0, 1.0, 1.0]).expand(len(asked.state), -1)
    goal = replace(asked.goal, shown=shown)
    objective = Objective({"way": Term(in_the_way)}, time="last")
    asked = Situation(asked.simulator, asked.state, objective, goal, [])  # type: ignore[arg-type]
    plan = planned(asked, horizon=1)
    after = asked.simulator.step(asked.state, plan.actions[:, 0])
    assert ((after.place - asked.state.place)[:, 1].abs().sum(-1) > 0).all()


@pytest.mark.parametrize("space", ["scene", "image"])
def test_things_are_moved_by_displacements_as_far_as_these_go(space: str) -> None:
    asked, horizon = posed(moved=True), 7
    near = Bounds(torch.tensor([-2.0, -2.0, -1.5, -1.5]), torch.tensor([2.0, 2.0, 1.5, 1.5]))
    settings: dict[str, Any] = {"samples": 300, "iterations": 10, "elites": 20, "std": 0.05}
    settings |= {"space": space, "displacements": [[2, 3]], "bounds": near}
    plan = planned(asked, horizon, **settings)
    assert (plan.cost < 0.02).all()
    assert (plan.actions[..., 2:].abs() <= 1.5).all()
    state = asked.state
    for actions in plan.actions.unbind(1):
        after = asked.simulator.step(state, actions)
        assert not (after.place - state.place)[:, 0].any()
        state = after


def test_in_the_image_goals_that_only_say_places_are_searched_too() -> None:
    asked = posed(moved=True)
    there = asked.goal.positions
    assignment = torch.arange(there.shape[1]).expand(len(there), -1)
    said = Goal(view_of(there), assignment, asked.goal.objects, asked.goal.effector)
    objective = Objective({"place": Term(ObjectPosition())}, time="last")
    only_places = replace(asked, goal=said, objective=objective)
    settings: dict[str, Any] = {"samples": 300, "iterations": 10, "elites": 20}
    plan = planned(only_places, 5, displacements=[[2, 3]], space="image", **settings)
    assert (plan.cost < 0.01).all()


def test_generators_decide_and_problems_do_not_depend_on_each_other() -> None:
    asked = posed()
    plan = planned(asked)
    assert torch.equal(plan.actions, planned(asked).actions)
    assert not torch.equal(plan.actions, planned(asked, first=7).actions)
    last = torch.tensor([2])
    alone = replace(asked, state=asked.state.index(last), goal=asked.goal.index(last))
    assert_close(planned(alone, first=2).actions, plan.actions[2:])


def test_more_candidates_are_better() -> None:
    asked = posed(20)
    few, many = (planned(asked, samples=samples, elites=4).cost for samples in (12, 200))
    assert many.mean() < few.mean()


def test_a_scene_in_which_no_object_was_found_is_searched_too() -> None:
    asked = posed()
    nothing = replace(asked.goal, objects=0 * asked.goal.objects)
    assert planned(replace(asked, goal=nothing)).cost.isfinite().all()


def test_a_model_that_tells_no_handles_is_refused() -> None:
    simulator = LatentSimulator(ToyModel(action_size=4), device="cpu")
    state, ones = ToyState(torch.zeros(1, 2, 3)), torch.ones(1, 2)
    goal = Goal(simulator.view(state), torch.tensor([[0, 1]]), ones, 0 * ones)
    objective = Objective({"slots": Term(LatentDistance())})
    asked = Situation(simulator, state, objective, goal, [])
    with pytest.raises(ArmillaryError, match=r"where in the scene things are.*planner=cem"):
        ObjectCEM().optimize(asked, torch.zeros(1, 2, 4), BOUNDS, generators(1))


def test_actions_that_are_no_pick_and_place_are_refused() -> None:
    wide = Bounds(-torch.ones(5), torch.ones(5))
    with pytest.raises(ArmillaryError, match=r"actions of 4 numbers.*the task's have 5"):
        ObjectCEM().optimize(posed(), torch.zeros(3, 2, 5), wide, generators(3))


def test_displacements_that_are_no_second_half_are_refused() -> None:
    with pytest.raises(ArmillaryError, match=r"second half of an action, \[\[2, 3\]\], or none"):
        planned(posed(), displacements=[[0, 1]])
    with pytest.raises(ArmillaryError, match="unknown space 'pixels'"):
        ObjectCEM(space="pixels")
