"""PlacedObjects: who judges an episode of named objects, and what its goal image shows."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest

from armillary.agent.agent import NoopAgent
from armillary.agent.episodes import run_episodes
from armillary.agent.mpc import MPCAgent
from armillary.agent.placed_objects import PlacedObjects, marked
from armillary.envs.wrappers import PrivilegedState
from armillary.planners.cem import CEM
from armillary.planners.costs import Approach, ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.goals.item import Item
from armillary.world_models.goals.object import ObjectGoal
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.oracle import OracleSimulator


def task(steps: int = 20) -> gym.Env:
    return gym.make("armillary/PushBlocks-v0", max_episode_steps=steps, disable_env_checker=True)


class Untold(gym.Wrapper):
    """A task that does not tell where its things are."""

    def has_wrapper_attr(self, name: str) -> bool:
        return name != "places" and super().has_wrapper_attr(name)


def places(seed: int = 0) -> np.ndarray:
    return task().reset(seed=seed)[0]["achieved_goal"].reshape(-1, 2)


def goal(to: Any, seed: int = 0, **settings: Any) -> ObjectGoal:
    """The first block of a scene belongs there."""
    return ObjectGoal([{"pixel": places(seed)[0].tolist(), "to": list(to)}], **settings)


@pytest.mark.parametrize("wrap", [lambda env: env, Untold])
def test_success_is_the_named_object_at_its_place(wrap: Any) -> None:
    simulator = LatentSimulator(load_model("pretrained/push_blocks"), "cpu")
    x, y = places()[0].tolist()
    for to, reached in (((x, y), True), ((1 - x, 1 - y), False)):
        env = PlacedObjects(wrap(task()), goal(to), simulator)
        _, info = env.reset(seed=0)
        assert info["is_success"] == reached
        _, _, terminated, _, info = env.step(np.zeros(2, np.float32))
        assert (info["is_success"], terminated) == (reached, reached)
        true = np.hypot(x - to[0], y - to[1])
        assert info["distance"] == pytest.approx(true, abs=0.02)


def test_the_tolerance_is_the_tasks_or_ones_own() -> None:
    x, y = places()[0].tolist()
    near = [x + 0.05 if x < 0.5 else x - 0.05, y]
    assert PlacedObjects(task(), goal(near), None).reset(seed=0)[1]["is_success"]
    strict = PlacedObjects(task(), goal(near, tolerance=0.01), None)
    assert not strict.reset(seed=0)[1]["is_success"]


def test_the_distance_is_the_furthest_objects() -> None:
    (x, y), other = places()[:2].tolist()
    away = x + 0.2 if x < 0.5 else x - 0.2
    items = [{"pixel": [x, y], "to": [away, y]}, {"pixel": other, "to": other}]
    for chosen in (items, items[::-1]):
        _, info = PlacedObjects(task(), ObjectGoal(chosen), None).reset(seed=0)
        assert info["distance"] == pytest.approx(0.2)
        assert not info["is_success"]


def test_the_first_frame_is_shown_as_often_as_a_belief_takes_to_settle() -> None:
    class Counting(LatentSimulator):
        shown: ClassVar[list[bool]] = []

        def observe(self, state: Any, actions: Any, observations: Any) -> Any:
            self.shown.append(state is None)
            return super().observe(state, actions, observations)

    simulator = Counting(load_model("pretrained/push_blocks"), "cpu")
    env = PlacedObjects(Untold(task()), goal([0.5, 0.5]), simulator)
    env.reset(seed=0)
    assert simulator.shown == [True] + [False] * (simulator.context_length - 1)
    env.step(np.zeros(2, np.float32))
    assert len(simulator.shown) == simulator.context_length + 1


def test_a_region_must_be_entered() -> None:
    x, y = places()[0].tolist()
    pixel = {"pixel": [x, y]}
    around = [x - 0.05, y - 0.05, x + 0.05, y + 0.05]
    beside = [x - 0.15, y - 0.05, x - 0.01, y + 0.05]
    for region, reached in ((around, True), (beside, False)):
        env = PlacedObjects(task(), ObjectGoal([{**pixel, "region": region}]), None)
        assert env.reset(seed=0)[1]["is_success"] == reached


def test_slots_are_matched_to_true_things() -> None:
    simulator = LatentSimulator(load_model("pretrained/push_blocks"), "cpu")
    reader = goal([0.5, 0.5])
    observation = task().reset(seed=0)[0]
    still = np.zeros((1, 2), np.float32)
    belief = simulator.observe(simulator.observe(None, still, [observation]), still, [observation])
    slot = reader.items_of(observation)[0].find(reader.seen(simulator, belief)[0])
    to = places()[0].tolist()
    by_slot = ObjectGoal([{"slot": slot, "to": to}])
    assert PlacedObjects(task(), by_slot, simulator).reset(seed=0)[1]["is_success"]
    with pytest.raises(ValueError, match="named by slot need a simulator"):
        PlacedObjects(task(), by_slot, None).reset(seed=0)


def test_somebody_must_tell_places() -> None:
    with pytest.raises(ValueError, match="does not tell where its objects truly are"):
        PlacedObjects(Untold(task()), goal([0.5, 0.5]), None)


def test_the_goal_image_is_the_first_frame_with_the_places_marked() -> None:
    items = [{"pixel": places()[0].tolist(), "region": [0.5, 0.5, 0.9, 0.9]}]
    env = PlacedObjects(task(), ObjectGoal(items, keep_clear=[[0.0, 0.0, 0.1, 0.1]]), None)
    observation, _ = env.reset(seed=0)
    changed = (observation["goal_image"] != observation["image"]).any(-1)
    assert changed[16, 16:28].all()
    assert changed[0, :3].all()
    assert not changed[20, 20]
    assert np.array_equal(env.step(np.ones(2, "f4"))[0]["goal_image"], observation["goal_image"])


def test_the_tasks_own_success_ends_nothing() -> None:
    env = PlacedObjects(task(), goal([0.9, 0.9]), None)
    env.reset(seed=0)
    core: Any = env.unwrapped
    core.restore(core.goal_scene)
    _, _, terminated, _, info = env.step(np.zeros(2, np.float32))
    assert not terminated
    assert not info["is_success"]


def test_the_true_physics_find_their_way() -> None:
    def make() -> gym.Env:
        return PlacedObjects(PrivilegedState(task()), reader, simulator)

    x, y = places()[0].tolist()
    to = [x + 0.15 if x < 0.5 else x - 0.15, y]
    reader = goal(to)
    core: Any = task().unwrapped
    simulator = OracleSimulator(core.oracle, workers=0)
    objective = Objective({"object": Term(ObjectPosition()), "approach": Term(Approach(), 0.1)})
    search = CEM(samples=40, iterations=3, elites=6)
    space: Any = task().action_space
    agent = MPCAgent(simulator, objective, search, space, 8, 2, goal_reader=reader)
    assert run_episodes(make, agent, [0], 1)[0].success
    idle = run_episodes(lambda: PlacedObjects(task(), reader, None), NoopAgent(space), [0], 1)[0]
    assert not idle.success


def test_crosses_frames_and_what_is_kept_clear_are_drawn_where_they_are() -> None:
    image = np.full((60, 60, 3), 255, np.uint8)

    def item(low: Any, high: Any) -> Item:
        return Item("it", "slot", 0, np.array(low), np.array(high))

    items = (item([0.5, 0.25], [0.5, 0.25]), item([0.1, 0.5], [0.4, 0.8]), item([1, 0], [1, 0]))
    picture = marked(image, items, keep_clear=[[0.7, 0.7, 1.0, 0.9]])
    green, red = ((picture == color).all(-1) for color in ((30, 120, 60), (220, 40, 40)))
    expected = np.zeros((60, 60), bool)
    expected[15, 27:34] = expected[12:19, 30] = True  # a cross of arms of 3 pixels
    expected[0, 56:60] = expected[0:4, 59] = True  # cut off by the edge
    expected[[30, 48], 6:25] = expected[30:49, [6, 24]] = True
    assert np.array_equal(green, expected)
    expected[:] = False
    expected[[42, 54], 42:60] = expected[42:55, [42, 59]] = True
    assert np.array_equal(red, expected)
    assert (picture[~green & ~red] == 255).all()
    assert (image == 255).all()
    small = marked(image[:8, :8], items[:1])
    assert ((small == (30, 120, 60)).all(-1)).sum() == 5


def test_what_the_simulator_sees_is_followed() -> None:
    simulator = LatentSimulator(load_model("pretrained/push_blocks"), "cpu")
    x, y = places()[0].tolist()
    env = PlacedObjects(Untold(task()), goal([0.5, 0.5]), simulator)
    _, info = env.reset(seed=0)
    core: Any = env.unwrapped
    for _ in range(3):  # the block wanders a little away from its place
        scene = core.snapshot()
        scene[3:5] += 0.03 * np.sign([x - 0.5, y - 0.5])
        core.restore(scene)
        _, reward, *_, after = env.step(np.zeros(2, np.float32))
        assert after["distance"] > info["distance"] + 0.01
        assert reward == -1.0
        info = after
