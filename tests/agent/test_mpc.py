"""MPCAgent: finds its way, warm starts, keeps to its interval, and minds no neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from gymnasium import spaces

from armillary.agent.mpc import MPCAgent
from armillary.contracts.agent import AgentContract
from armillary.errors import ArmillaryError
from armillary.planners.categorical_cem import CategoricalCEM
from armillary.planners.cem import CEM
from armillary.planners.costs import ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.planners.optimizer import Plan
from armillary.planners.random_shooting import RandomShooting
from armillary.processors import FALL_AFTER
from armillary.spaces import native
from armillary.threads import SHARED_VALUES
from armillary.world_models.simulator import Goal, Rollout, View
from armillary.world_models.state import LatentState, Scene
from tests.busy import Busy, four_processors

SPACE = spaces.Box(-1.0, 1.0, (2,), np.float32)


@dataclass(frozen=True)
class Point(LatentState):
    """A point that actions move by a tenth."""

    place: torch.Tensor


class PointSimulator:
    """Knows the answer: places add up. Observations: ``place`` and ``goal``."""

    context_length = 2
    action_size = 2
    device = torch.device("cpu")

    def __init__(self):
        self.seen = []
        self.goals = 0

    def observe(self, state, actions, observations):
        places = np.stack([observation["place"] for observation in observations])
        self.seen.append((state, actions.copy(), places))
        return Point(torch.tensor(places).float())

    def encode(self, histories, actions):
        raise AssertionError("the agent carries its belief")

    def goal(self, state, observations, find):
        self.goals += 1
        goals = torch.tensor(np.stack([o["goal"] for o in observations])).float()
        ones = torch.ones(len(goals), 1)
        view = View(Point(goals), (len(goals),), self)
        return Goal(view, torch.zeros(len(goals), 1, dtype=torch.int64), ones, 0 * ones)

    def rollout(self, state, actions, generators=None):
        places = state.place[:, None, None] + 0.1 * actions.cumsum(2)
        return Rollout(
            Point(places.reshape(-1, 2)), (*actions.shape[:2], 1, actions.shape[2]), self, actions
        )

    def score(self, state, actions, objective, goal, generators=None):
        return objective(self.rollout(state, actions, generators), goal)

    def close(self):
        pass

    def slots(self, state):
        return state.place.unsqueeze(1)

    def positions(self, state):
        return state.place.unsqueeze(1)

    def decode(self, state):
        return Scene(torch.zeros(len(state), 1, 3, 2, 2), torch.ones(len(state), 1, 1, 2, 2))

    def frames(self, state):
        return self.decode(state).frames

    def masks(self, state):
        return self.decode(state).masks


class StepSimulator(PointSimulator):
    """The same point, moved by choices: left, stay or right, and up, stay or down."""

    action_size = 6

    def rollout(self, state, actions, generators=None):
        moves = torch.tensor([-1.0, 0.0, 1.0])
        pushes = (actions.unflatten(-1, (2, 3)) * moves).sum(-1)
        places = state.place[:, None, None] + 0.1 * pushes.cumsum(2)
        return Rollout(
            Point(places.reshape(-1, 2)), (*actions.shape[:2], 1, actions.shape[2]), self, actions
        )


def make(optimizer=None, **settings):
    settings = {"horizon": 5, "replan_interval": 1, **settings}
    optimizer = optimizer or CEM(samples=64, iterations=4, elites=8)
    objective = Objective({"position": Term(ObjectPosition())})
    simulator = PointSimulator()
    return MPCAgent(simulator, objective, optimizer, SPACE, **settings), simulator


def run(agent, places, goals, steps, seeds):
    """The places after each step, (steps + 1, B, 2)."""
    agent.reset(seeds)
    places, trace = np.array(places, float), [np.array(places, float)]
    for _ in range(steps):
        observations = [{"place": p, "goal": g} for p, g in zip(places, goals, strict=True)]
        actions = agent.act(observations, np.ones(len(places), bool))
        assert actions.shape == (len(places), 2)
        assert actions.dtype == np.float32
        assert (np.abs(actions) <= 1).all()
        places = places + 0.1 * actions
        trace.append(places)
    return np.stack(trace)


class TestMPC(AgentContract):
    space = SPACE

    def make(self):
        return make()[0]

    def observations(self):
        places = np.array([[0.2, 0.2], [0.5, 0.5], [0.8, 0.1]])
        return [{"place": place, "goal": place[::-1] + 0.3} for place in places]


def test_it_reaches_the_goal():
    agent, _ = make()
    goals = np.array([[0.6, 0.2], [0.3, 0.9]])
    trace = run(agent, [[0.2, 0.2], [0.5, 0.5]], goals, 8, seeds=[0, 1])
    assert np.abs(trace[-1] - goals).max() < 0.03


def test_episodes_that_ended_are_left_out():
    agent, simulator = make()
    agent.reset([0, 1])
    observations = [{"place": np.zeros(2), "goal": np.ones(2)}] * 2
    agent.act(observations, np.array([True, True]))
    actions = agent.act(observations, np.array([False, True]))
    assert (actions[0] == 0).all()
    assert (actions[1] != 0).any()
    state, _, places = simulator.seen[-1]
    assert len(state) == len(places) == 1
    with pytest.raises(ValueError, match="do not go on before the next reset"):
        agent.act(observations, np.array([True, True]))


def test_it_replans_at_its_interval_and_filters_every_frame_once():
    agent, simulator = make(replan_interval=3)
    trace = run(agent, [[0.2, 0.2]], np.array([[0.9, 0.9]]), 7, seeds=[0])
    assert len(agent.planning_times) == 3
    first, *rest = simulator.seen
    assert first[0] is None
    # The first frame twice, for a context of two; then each frame once, with the action before it.
    assert len(simulator.seen) == 8
    shown = np.stack([places for _, _, places in simulator.seen])
    assert np.allclose(shown, np.concatenate([trace[:1], trace[:7]]))
    taken = np.stack([actions for _, actions, _ in simulator.seen])
    assert (taken[:2] == 0).all()
    assert np.allclose(0.1 * taken[2:], np.diff(trace[:7], axis=0), atol=1e-6)
    for (state, _, _), before in zip(rest, shown, strict=False):
        assert np.allclose(state.place, before), "the belief before is handed on"


def test_the_goal_is_read_once_per_episode():
    agent, simulator = make()
    run(agent, [[0.2, 0.2]], np.array([[0.9, 0.9]]), 5, seeds=[0])
    assert simulator.goals == 1
    run(agent, [[0.2, 0.2]], np.array([[0.9, 0.9]]), 5, seeds=[0])
    assert simulator.goals == 2


def test_acting_before_a_reset_is_explained():
    with pytest.raises(ValueError, match=r"reset starts the episodes"):
        make()[0].act([{"place": np.zeros(2), "goal": np.ones(2)}], np.ones(1, bool))


def test_a_warm_start_continues_the_last_plan():
    goal = np.array([[0.9, 0.2]])
    weak = RandomShooting(samples=2, iterations=1)
    errors = []
    for seed in range(20):
        agent, _ = make(weak, horizon=6)
        trace = run(agent, [[0.2, 0.2]], goal, 12, seeds=[seed])
        errors.append(np.linalg.norm(trace[-1, 0] - goal[0]))
    cold = []
    for seed in range(20):
        agent, _ = make(weak, horizon=6)
        place = np.array([0.2, 0.2])
        for step in range(12):
            agent.reset([100 * seed + step])
            action = agent.act([{"place": place, "goal": goal[0]}], np.ones(1, bool))
            place = place + 0.1 * action[0]
        cold.append(np.linalg.norm(place - goal[0]))
    assert np.median(errors) < np.median(cold)


class Recording:
    """Finds plans that count on, and remembers what it was given to start from."""

    def __init__(self):
        self.given = []

    def optimize(self, score, init, bounds, generators, proposals=None):
        self.given.append((init, proposals))
        count = len(self.given) * init[0].numel() * torch.arange(1, len(init) + 1)
        actions = 1e-3 * (count[:, None] + torch.arange(init[0].numel())).view_as(init)
        elites = actions.unsqueeze(1) * torch.tensor([1.0, -1.0, 0.5]).view(3, 1, 1)
        zeros = torch.zeros(len(init))
        return Plan(actions, zeros, zeros[None], actions, actions, elites, zeros)


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_a_search_starts_from_what_is_left_of_the_last_ones_plan_and_elites(interval):
    space = spaces.Box(np.float32([-1, 0]), np.float32([1, 0.5]))
    search, horizon = Recording(), 4
    objective = Objective({"position": Term(ObjectPosition())})
    agent = MPCAgent(PointSimulator(), objective, search, space, horizon, interval)
    agent.reset([0, 1])
    seen = [{"place": np.zeros(2), "goal": np.ones(2)}] * 2
    middle, before = torch.tensor([0.0, 0.25]), agent.last_plan
    for step in range(2 * interval + 1):
        actions = agent.act(seen, np.ones(2, bool))
        assert agent.last_plan is not None
        assert np.array_equal(actions, agent.last_plan.actions[:, step % interval])
        init, proposals = search.given[-1]
        if step == 0:
            assert torch.equal(init, middle.expand(2, horizon, 2))
            assert proposals.shape == (2, 0, horizon, 2)
        elif step % interval == 0:
            assert torch.equal(init[:, : horizon - interval], before.actions[:, interval:])
            assert torch.equal(
                proposals[:, :, : horizon - interval], before.elites[:, :, interval:]
            )
            for late in (init[:, horizon - interval :], proposals[:, :, horizon - interval :]):
                assert torch.equal(late, middle.expand_as(late))
        before = agent.last_plan
    assert len(search.given) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 2, "replan_interval": 3}, "horizon=2 and replan_interval=3"),
        ({"replan_interval": 0}, "replan_interval"),
        ({"horizon": 2.5}, "both whole numbers, got horizon=2.5"),
        ({"horizon": float("nan")}, "both whole numbers, got horizon=nan"),
        ({"horizon": True}, "both whole numbers, got horizon=True"),
        ({"horizon": None}, "both whole numbers, got horizon=None"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_another_action_size_is_refused():
    space = spaces.Box(-1.0, 1.0, (3,), np.float32)
    objective = Objective({"position": Term(ObjectPosition())})
    with pytest.raises(ValueError, match="actions of size 2"):
        MPCAgent(PointSimulator(), objective, CEM(), space, horizon=3)


def test_discrete_actions_are_planned_as_choices():
    space = spaces.MultiDiscrete([3, 3])
    objective = Objective({"position": Term(ObjectPosition())})
    search = CategoricalCEM(samples=64, iterations=4, elites=8)
    agent = MPCAgent(StepSimulator(), objective, search, space, horizon=4)
    place, goal = np.array([0.2, 0.5]), np.array([0.5, 0.3])
    agent.reset([0])
    for _ in range(5):
        (action,) = agent.act([{"place": place, "goal": goal}], np.ones(1, bool))
        assert sorted(action) == [0, 0, 0, 0, 1, 1]
        place = place + 0.1 * (native(space, action) - 1)
    assert np.allclose(place, goal)


def test_a_search_that_does_not_fit_names_one_that_does():
    objective = Objective({"position": Term(ObjectPosition())})
    with pytest.raises(ArmillaryError, match="planner=categorical_cem fits"):
        MPCAgent(StepSimulator(), objective, CEM(), spaces.MultiDiscrete([3, 3]), horizon=4)


def test_actions_stay_within_bounds_of_double_precision():
    space = spaces.Box(np.array([-0.3, 0.1]), np.array([-0.1, 0.3]), dtype=np.float64)
    objective = Objective({"position": Term(ObjectPosition())})
    agent = MPCAgent(PointSimulator(), objective, CEM(std=4.0), space, horizon=1)
    for goal in ([-9.0, 9.0], [9.0, -9.0]):
        agent.reset(0)
        action = agent.act({"place": np.zeros(2), "goal": np.array(goal)})
        assert action.dtype == np.float64
        assert space.contains(action)
        end = np.where(np.array(goal) < 0, space.low, space.high)
        assert np.allclose(action, end, atol=1e-6), "the very ends are wanted"


def test_planning_times_say_how_many_problems_and_candidates():
    agent, _ = make(CEM(samples=20, iterations=3, elites=4), replan_interval=1)
    run(agent, [[0.2, 0.2], [0.5, 0.5]], np.array([[0.9, 0.9], [0.1, 0.1]]), 2, seeds=[0, 1])
    assert [told.problems for told in agent.planning_times] == [2, 2]
    assert all(told.evaluations >= 60 and told.seconds > 0 for told in agent.planning_times)


def test_one_episode_needs_no_lists():
    together, _ = make(CEM(samples=40, iterations=3, elites=4), replan_interval=2)
    alone, _ = make(CEM(samples=40, iterations=3, elites=4), replan_interval=2)
    seen = {"place": np.array([0.2, 0.3]), "goal": np.array([0.8, 0.6])}
    together.reset([7])
    alone.reset(7)
    for _ in range(3):
        (expected,) = together.act([seen], np.ones(1, bool))
        action = alone.act(seen)
        assert SPACE.contains(action)
        assert np.array_equal(action, expected)


def test_one_episode_acts_as_its_environment_does():
    objective = Objective({"position": Term(ObjectPosition())})
    search = CategoricalCEM(samples=64, iterations=4, elites=8)
    space = spaces.MultiDiscrete([3, 3])
    agent = MPCAgent(StepSimulator(), objective, search, space, horizon=4)
    agent.reset(0)
    assert space.contains(agent.act({"place": np.zeros(2), "goal": np.ones(2)}))


def test_a_goal_is_given_to_one_episode():
    class Shown:
        own_problem = True
        read_by = 0

        def read(self, simulator, state, observations, low, high):
            self.read_by += 1
            shown = [{**o, "goal": np.array([0.9, 0.9])} for o in observations]
            return simulator.goal(state, shown, None)

    agent, _ = make(CEM(samples=40, iterations=3, elites=4), replan_interval=1)
    reader, seen = Shown(), {"place": np.array([0.5, 0.5])}
    agent.reset(0, reader)
    assert (agent.act(seen) > 0).all()
    assert reader.read_by == 1
    agent.reset(0)  # the agent's own again
    assert (agent.act({**seen, "goal": np.array([0.1, 0.1])}) < 0).all()
    with pytest.raises(ArmillaryError, match="one episode's"):
        agent.reset([0, 1], reader)


def test_a_goal_image_stands_for_the_observations():
    agent, simulator = make(CEM(samples=8, iterations=1, elites=2), replan_interval=1)
    shown, asked = np.zeros((4, 4, 3), np.uint8), []
    simulator.goal = lambda state, observations, *_: asked.extend(observations) or 1 / 0
    agent.reset(0, goal=shown)
    with pytest.raises(ZeroDivisionError):
        agent.act({"place": np.zeros(2), "goal_image": None})
    assert asked[0]["goal_image"] is shown


class Doubles:
    """A search of somebody else's that works in float64."""

    def optimize(self, score, init, bounds, generators, proposals=None):
        plan = CEM(samples=8, iterations=2, elites=2).optimize(
            lambda actions: score(actions.float()).double(), init.double(), bounds, generators
        )
        assert plan.actions.dtype == torch.float64
        return plan


def test_plans_of_any_type_are_taken():
    agent, _ = make(Doubles(), replan_interval=1)
    seen = {"place": np.zeros(2), "goal": np.ones(2)}
    agent.reset([0, 1])
    for active in ([True, True], [False, True]):
        assert agent.act([seen] * 2, active).dtype == np.float32


def test_what_act_takes_is_said():
    agent, _ = make(CEM(samples=8, iterations=1, elites=2), replan_interval=1)
    seen = {"place": np.zeros(2), "goal": np.ones(2)}
    with pytest.raises(ArmillaryError, match="comes before act"):
        agent.act(seen)
    agent.reset(0)
    with pytest.raises(ArmillaryError, match="one dictionary after reset with one seed, got list"):
        agent.act([seen], np.ones(1, bool))
    agent.reset([0, 1])
    with pytest.raises(ArmillaryError, match="sequence of dictionaries after reset with seeds"):
        agent.act(seen)
    with pytest.raises(ArmillaryError, match="takes 2 observations and flags"):
        agent.act([seen], np.ones(1, bool))
    for observations, flags in (([seen], np.ones(2, bool)), ([seen] * 2, np.ones(3, bool))):
        with pytest.raises(ArmillaryError, match="takes 2 observations and flags"):
            agent.act(observations, flags)


def test_threads_follow_what_is_free_while_it_plans() -> None:
    class Watched(PointSimulator):
        def score(self, *given):
            numbers.append(torch.get_num_threads())
            return super().score(*given)

    def act(samples: int) -> list[int]:
        others = Busy(others=2.0)
        agent = MPCAgent(
            *(Watched(), Objective({"goal": Term(ObjectPosition())})),
            *(RandomShooting(samples=samples, iterations=1), SPACE, 4),
            threads=others.threads(),
        )
        agent.reset(0)
        for _ in range(FALL_AFTER + 2):
            agent.act({"place": np.zeros(2), "goal": np.ones(2)})
            assert torch.get_num_threads() == 4
        return numbers

    with four_processors():
        numbers: list[int] = []
        assert act(samples=SHARED_VALUES) == [4, 4, 2, 2]
        numbers = []
        assert act(samples=2) == [4, 1, 1, 1], "too small for two threads"
