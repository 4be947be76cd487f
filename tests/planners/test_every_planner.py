"""What holds of every planner by its name: it ends early where asked to, and waits for nothing."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import pytest
import torch

from armillary.contracts.optimizer import BOUNDS, generators, squared_distance, uniform
from armillary.errors import ArmillaryError
from armillary.planners.costs import LatentDistance
from armillary.planners.objective import Objective, Term
from armillary.planners.optimizer import Bounds
from armillary.planners.proposals.stored import Stored, save
from armillary.planners.situation import Situation
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Search
from armillary.plugins import find, registered
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.simulator import Goal
from tests.experiments.tiny import tiny_model
from tests.planners.proposals.conftest import recorded_actions, untrained
from tests.planners.situations import situation
from tests.waiting import without_waiting

NAMES = (
    *("random_shooting", "cem", "icem", "mppi", "predictive_sampling", "gradient"),
    *("cem_gradient", "cma_es", "categorical_cem", "collocation", "two_level", "retrieval"),
    *("inverse_dynamics", "gradient_lbfgs"),
)
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "gradient_lbfgs": ("gradient", {"method": "lbfgs"}),
}
"""Names here alone: the planner, and the settings that make another search of it."""
ALONE = ("retrieval", "inverse_dynamics")
OF_HANDLES = "object_cem"
"""Wants a simulator that tells where things can be picked up, and has tests of its own."""
SEARCHES = [name for name in NAMES if name not in ALONE]
NEED_GRADIENTS = ("gradient", "gradient_lbfgs", "cem_gradient", "collocation")
OPTIONS = Bounds.index(3, 3, 3)


def made(name: str, **settings: Any) -> Any:
    if name == "cma_es":
        pytest.importorskip("cma")
    name, method = METHODS.get(name, (name, {}))
    return find("planner", name).thing(**method, **settings)


def bounds_of(name: str) -> Bounds:
    return OPTIONS if name == "categorical_cem" else BOUNDS


def test_there_are_no_others() -> None:
    found = {name for name, entry in registered("planner").items() if not entry.plugin}
    assert found == {*NAMES, OF_HANDLES} - {*METHODS}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_ends_when_cost_and_spread_have_settled(name: str) -> None:
    init, bounds = uniform(2, 3), bounds_of(name)
    distance, spent = squared_distance(uniform(2, 3, seed=1)), []
    asked = situation(lambda actions: 1.0 + distance(actions), init)
    for tolerance in (0.0, 0.5):
        search = made(name, iterations=40, tolerance=tolerance)
        assert isinstance(search, Search)
        plan = search.optimize(asked, init, bounds, generators(2))
        assert plan.history.shape == (40, 2)
        spent.append(plan.evaluations)
    assert (spent[1] < 0.7 * spent[0]).all()


@pytest.mark.parametrize("name", SEARCHES)
def test_actions_of_the_other_kind_are_refused_and_the_planner_that_fits_is_named(
    name: str,
) -> None:
    wrong, fits = (BOUNDS, "cem") if name == "categorical_cem" else (OPTIONS, "categorical_cem")
    init = uniform(1, 3)
    asked = situation(squared_distance(init), init)
    with pytest.raises(ArmillaryError, match=f"planner={fits} fits"):
        made(name).optimize(asked, init, wrong, generators(1))


@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_nan_in_a_warm_start_or_a_proposal_is_no_plan(name: str) -> None:
    init, bounds = uniform(2, 3), bounds_of(name)
    distance = squared_distance(uniform(2, 3, seed=1))
    asked = situation(lambda actions: distance(actions).nan_to_num(-9.0), init)
    proposals = init.unsqueeze(1).repeat(1, 2, 1, 1)
    init[0, 0, 0] = proposals[:, :, 1, 1] = torch.nan
    plan = made(name).optimize(asked, init, bounds, generators(2), proposals)
    assert plan.actions.isfinite().all()
    assert (plan.cost >= 0).all()


@pytest.mark.parametrize("name", NEED_GRADIENTS)
def test_searches_that_follow_gradients_say_so(name: str) -> None:
    assert made(name).differentiates
    assert not made("cem").differentiates


@pytest.mark.parametrize("name", NEED_GRADIENTS)
def test_scores_without_a_gradient_are_refused_and_planners_that_fit_are_named(name: str) -> None:
    init = uniform(1, 3)
    asked = situation(lambda actions: actions.detach().sum((2, 3)), init)
    with pytest.raises(ArmillaryError, match="planner=cem, icem or mppi needs none"):
        made(name).optimize(asked, init, BOUNDS, generators(1))


# On a world model

QUICK: dict[str, dict[str, Any]] = {
    "random_shooting": {"samples": 8, "iterations": 3},
    "cem": {"samples": 8, "elites": 3, "iterations": 3},
    "icem": {"samples": 8, "elites": 3, "iterations": 3},
    "mppi": {"samples": 8, "iterations": 3},
    "gradient": {"restarts": 2, "iterations": 3},
    "gradient_lbfgs": {"restarts": 2, "iterations": 4},
    "cem_gradient": {"samples": 8, "elites": 3, "refined": 2, "iterations": 4, "steps": 2},
    "cma_es": {"samples": 4, "iterations": 3},
    "categorical_cem": {"samples": 8, "elites": 3, "iterations": 3},
    "collocation": {"restarts": 2, "iterations": 6, "period": 2, "lifted": 2},
    "two_level": {"samples": 8, "elites": 3, "iterations": 4, "lower_samples": 4},
    "predictive_sampling": {"samples": 8, "iterations": 3},
    "retrieval": {"nearest": 4},
}
"""So few candidates that the work of one problem is hardly any, as on an accelerator."""


@pytest.fixture(scope="module")
def simulator() -> LatentSimulator:
    return LatentSimulator(tiny_model(), device="cpu")


@pytest.fixture(scope="module")
def proposals(simulator: LatentSimulator, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the model's slots: what they are does not matter here."""
    known = recorded_actions(episodes=20, frames=9)
    slots = torch.randn(20, 9, 3, 34, generator=torch.Generator().manual_seed(0))
    flags = torch.tensor([0.0, 1.0, 1.0]).expand(20, 3)
    kept = type(known)(slots, known.actions[..., :2].clamp(-1, 1), flags, 0 * flags)
    network = untrained(8, slot_size=34, action_size=2, width=32)
    path = tmp_path_factory.mktemp("proposals")
    return str(save(Stored(path, simulator.identity, network, kept, {})))


def posed(simulator: LatentSimulator, problems: int) -> Situation:
    """Scenes of noise, and goals of other noise."""
    slots = simulator.model.num_slots
    frames = torch.rand(2 * problems, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    encoded = simulator.model.encode(frames, torch.zeros(2 * problems, 0, 2))
    state, aim = (encoded.detach().index(slice(i * problems, (i + 1) * problems)) for i in (0, 1))
    flags = torch.ones(problems, slots)
    goal = Goal(simulator.view(aim), torch.arange(slots).expand(problems, -1), flags, 0 * flags)
    objective = Objective({"slots": Term(LatentDistance())})
    return Situation(simulator, state, objective, goal, generators(problems))


def planned(name: str, simulator: LatentSimulator, place: str, problems: int, **settings: Any):
    settings |= {"proposals_from": place} if name in ALONE else {}
    bounds = (
        Bounds.one_hot(2) if name == "categorical_cem" else Bounds(-torch.ones(2), torch.ones(2))
    )
    asked = posed(simulator, problems)
    search, init = made(name, **settings), torch.zeros(problems, 5, 2)
    return search, asked, lambda: search.optimize(asked, init, bounds, asked.generators)


@pytest.mark.parametrize("name", NAMES)
def test_plans_on_a_model_and_never_worse_than_doing_nothing(
    name: str, simulator: LatentSimulator, proposals: str
) -> None:
    _, asked, plan = planned(name, simulator, proposals, 2)
    found = plan()
    still = torch.zeros(2, 1, 5, 2)
    if name == "categorical_cem":
        still[..., 0] = 1.0
    assert (found.cost <= asked(still)[:, 0] + 1e-5).all()
    assert torch.allclose(found.cost, asked(found.actions.unsqueeze(1))[:, 0], atol=1e-4)


def test_nothing_within_a_search_waits_for_the_device(
    simulator: LatentSimulator, proposals: str
) -> None:
    """But for the end of the plan, and for ``cma_es``, whose library works on the CPU."""
    bounds = Bounds(-torch.ones(2), torch.ones(2))
    for name in SEARCHES:
        if name in ("cma_es", "categorical_cem"):
            continue
        search, asked, _ = planned(name, simulator, proposals, 2, **QUICK[name])
        problem = Problem(asked, torch.zeros(2, 5, 2), bounds, asked.generators, None)
        now = search.start(problem)
        for number, noise in enumerate(search.noise(problem)):
            candidates = problem.population(now.mean, now.std, noise, now.carried)
            scores = problem.evaluate(candidates, now.gradient)
            if number < 2:  # what is made once is made now
                now = search.update(now, candidates, scores)
                continue
            with without_waiting(), torch.no_grad():
                now = search.update(now, candidates, scores)


@pytest.mark.parametrize("name", NAMES)
def test_problems_planned_together_take_less_time(
    name: str, simulator: LatentSimulator, proposals: str
) -> None:
    """16 at once at most half the time of one by one; ``benchmarks/planned_together.py`` tells."""
    plans = {
        count: planned(name, simulator, proposals, count, **QUICK.get(name, {}))[2]
        for count in (1, 16)
    }
    taken: dict[int, list[float]] = {1: [], 16: []}
    for turn in range(3):
        for count, plan in plans.items():
            for _ in range(1 if count == 16 else 3):
                began = time.process_time()
                plan()
                if turn:
                    taken[count].append(time.process_time() - began)
    assert median(taken[16]) < 0.5 * 16 * median(taken[1])
