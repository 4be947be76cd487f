"""Goal readers: their contract, what objects are named by, and what is refused."""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from armillary.contracts.goal import GoalReaderContract
from armillary.envs.wrappers import PrivilegedState
from armillary.planners.costs import LatentDistance, ObjectPosition, PixelDistance, SlotMatching
from armillary.planners.objective import Objective, Term
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.goals.image import ImageGoal
from armillary.world_models.goals.object import ObjectGoal
from armillary.world_models.goals.sight import COLORS, color_name
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.oracle import OracleSimulator
from armillary.world_models.registry import build_model
from armillary.world_models.simulator import Observation, Simulator

LOW, HIGH = -torch.ones(2), torch.ones(2)
OPTIONS = {"colors": ["red", "green", "blue"]}


@cache
def seen(seed: int, image_size: int = 32, **options: Any) -> dict[str, Any]:
    env = gym.make("armillary/PushBlocks-v0", image_size=image_size, num_blocks=3)
    names = {key: list(value) for key, value in options.items()}
    observation = PrivilegedState(env).reset(seed=seed, options=OPTIONS | names)[0]
    return dict(observation)


@cache
def bundled() -> LatentSimulator:
    return LatentSimulator(load_model("pretrained/push_blocks"), "cpu")


def oracle() -> OracleSimulator:
    env: Any = gym.make("armillary/PushBlocks-v0", num_blocks=3)
    return OracleSimulator(env.unwrapped.oracle, workers=0)


def read(items: Any, simulator: Any = None, seed: int = 0, **settings: Any) -> Any:
    simulator = simulator or oracle()
    size = simulator.action_size
    state = simulator.observe(None, np.zeros((1, size), np.float32), [seen(seed)])
    return ObjectGoal(items, **settings).read(simulator, state, [seen(seed)], LOW, HIGH)


class OfPushBlocks(GoalReaderContract):
    def simulator(self) -> Simulator:
        return bundled()

    def observations(self) -> list[Observation]:
        return [seen(seed) for seed in (0, 1, 2)]


class TestImage(OfPushBlocks):
    def make(self):
        return ImageGoal()


class TestObject(OfPushBlocks):
    def make(self):
        items = [{"color": "red", "to": [0.7, 0.3]}, {"color": "blue", "region": [0, 0, 0.4, 0.4]}]
        return ObjectGoal(items)


class TestObjectOfTheTruePhysics(TestObject):
    def simulator(self) -> Simulator:
        return oracle()


def test_named_objects_alone_are_to_be_placed() -> None:
    goal = read([{"color": "green", "to": [0.7, 0.3]}])
    assert goal.objects.tolist() == [[0, 0, 0, 1, 0, 0]]
    assert torch.allclose(goal.positions[0, 3], torch.tensor([0.7, 0.3]))


@pytest.mark.parametrize("block", [0, 1, 2])
def test_an_object_may_be_named_in_any_way(block: int) -> None:
    x, y = seen(0)["achieved_goal"].reshape(-1, 2)[block].tolist()
    slot = 2 + block
    mask = np.zeros((32, 32))
    mask[max(0, int(32 * y) - 2) : int(32 * y) + 2, max(0, int(32 * x) - 2) : int(32 * x) + 2] = 255
    ways = [
        {"color": OPTIONS["colors"][block]},
        {"color": [(0.86, 0.2, 0.18), (0.2, 0.65, 0.26), (0.16, 0.36, 0.86)][block]},
        {"pixel": [x, y]},
        {"pixel": [int(32 * x), int(32 * y)]},
        {"slot": slot},
        {"mask": mask},
    ]
    for way in ways:
        goal = read([{**way, "to": [0.5, 0.5]}])
        assert goal.objects.argmax().item() == slot, way


def test_regions_are_aimed_at_inside() -> None:
    goal = read([{"color": "red", "region": [0.2, 0.4, 0.6, 0.5]}], margin=0.03)
    assert torch.allclose(goal.positions[0, 2], torch.tensor([0.4, 0.45]))
    assert torch.allclose(goal.halves[0, 2], torch.tensor([0.17, 0.02]))
    places = goal.positions.clone()[:, None, None, None]
    places[..., 2, :] = torch.tensor([0.7, 0.45])
    assert torch.allclose(goal.offsets(places)[0, 0, 0, 0, 2], torch.tensor([0.13, 0.0]), atol=1e-6)


def test_regions_to_be_kept_clear_cost_something() -> None:
    simulator = oracle()
    state = simulator.observe(None, np.zeros((1, 2), np.float32), [seen(0)])
    x, y = seen(0)["observation"][:2].tolist()
    regions = [[max(0.0, x - 0.1), max(0.0, y - 0.1), min(1.0, x + 0.1), min(1.0, y + 0.1)]]
    to = [0.9, 0.9] if x < 0.5 else [0.1, 0.9]
    items = [{"color": "red", "to": to}]
    objective = Objective({"position": Term(ObjectPosition())})
    actions = torch.zeros(1, 1, 2, 2)
    free, kept = (
        simulator.score(
            state,
            actions,
            objective,
            ObjectGoal(items, clear).read(simulator, state, [seen(0)], LOW, HIGH),
        )
        for clear in ([], regions)
    )
    assert kept > free


@pytest.mark.parametrize("cost", [LatentDistance(), PixelDistance(), SlotMatching()])
def test_objectives_that_need_an_image_are_refused(cost: Any) -> None:
    goal = read([{"color": "red", "to": [0.7, 0.3]}])
    simulator = oracle()
    state = simulator.observe(None, np.zeros((1, 2), np.float32), [seen(0)])
    with pytest.raises(ValueError, match="take objective=object_position, or goal=image"):
        simulator.score(state, torch.zeros(1, 1, 2, 2), Objective({"one": Term(cost)}), goal)


def test_models_of_one_slot_are_refused() -> None:
    model = build_model("vrnn", image_size=64, action_size=2)
    simulator = LatentSimulator(model, "cpu")
    observations = [seen(0, image_size=64)]
    state = simulator.observe(None, np.zeros((1, 2), np.float32), observations)
    with pytest.raises(ValueError, match="sees every scene as one slot"):
        ObjectGoal([{"slot": 0, "to": [0.5, 0.5]}]).read(simulator, state, observations, LOW, HIGH)


TO = {"to": [0.5, 0.5]}
RED = {"color": "red", **TO}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], r"goal.items must be a list"),
        ({"color": "red"}, r"goal.items must be a list"),
        (["red"], r"goal.items\[0\] must hold keys and values"),
        ([RED, {"colour": "red", **TO}], r"goal.items\[1\] has an unknown key 'colour'; did you"),
        ([{"color": "red", "slot": 1, **TO}], "exactly one of color, pixel, slot, mask"),
        ([{"color": "red"}], "exactly one of to, region, got none"),
        ([{"color": "red", "to": [0.5]}], r"to must be \[x, y\], got \[0.5\]"),
        ([{"color": "red", "to": [0.5, 1.2]}], r"to must lie in \[0, 1\] of the image"),
        ([{"color": "red", "to": [0.5, float("nan")]}], r"to must lie in \[0, 1\]"),
        ([{"color": "red", "region": [0.5, 0, 0.2, 1]}], "x0 < x1 and y0 < y1"),
        ([{"color": "rde", **TO}], "unknown color 'rde'; did you mean 'red'"),
        ([{"color": "pink", **TO}], "nothing of color 'pink' is seen; seen are black, red, green"),
        ([{"pixel": [0, 0], **TO}], r"pixel \[0, 0\] shows the background"),
        ([{"pixel": [32, 3], **TO}], "outside the image, which has 32 x 32"),
        ([{"pixel": [0.2, -0.1], **TO}], r"pixel must lie in \[0, 1\]"),
        ([{"slot": 5, **TO}], "slot 5 is the background or nothing"),
        ([{"slot": 6, **TO}], r"slot must be in 0..5, got 6"),
        ([{"slot": "two", **TO}], "must be the number of a slot"),
        ([{"mask": np.ones((16, 24)), **TO}], "32 x 32 pixels, got 24 x 16 pixels"),
        ([{"mask": np.zeros((32, 32)), **TO}], "not black all over"),
        ([RED, {"slot": 2, "to": [0.1, 0.1]}], "name the same object, 2"),
    ],
)
def test_what_is_written_wrongly_is_explained(items: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as told:
        read(items)
    assert "\n" not in str(told.value)


def test_two_things_of_one_color_must_be_told_apart_otherwise() -> None:
    simulator = oracle()
    twins = seen(0, colors=("red", "red", "blue"))
    state = simulator.observe(None, np.zeros((1, 2), np.float32), [twins])
    with pytest.raises(ValueError, match="2 things are red, 2, 3; name one by pixel"):
        ObjectGoal([RED]).read(simulator, state, [twins], LOW, HIGH)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep_clear": [[0.1, 0.2, 0.3]]}, r"keep_clear\[0\] must be \[x0, y0, x1, y1\]"),
        ({"keep_clear": [[0.4, 0.4, 0.6, 0.6]]}, r"holds the place of goal.items\[0\]"),
        ({"tolerance": -1.0}, "tolerance must be at least 0"),
        ({"background": "biggest"}, "unknown background 'biggest'; did you mean 'largest'"),
        ({"effector": "moving"}, "unknown effector 'moving'; did you mean 'moved'"),
    ],
)
def test_settings_that_are_wrong_are_explained(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ObjectGoal([RED], **settings)


def test_colors_have_the_names_that_people_give_them() -> None:
    given = {
        (1.0, 0.0, 0.0): "red",
        (1.0, 0.55, 0.0): "orange",
        (0.95, 0.77, 0.1): "yellow",
        (0.12, 0.72, 0.78): "cyan",
        (0.6, 0.22, 0.72): "purple",
        (0.05, 0.05, 0.06): "black",
        (0.5, 0.5, 0.5): "grey",
        (0.97, 0.97, 0.95): "white",
    }
    assert {color: color_name(color) for color in given} == given
    assert set(given.values()) <= set(COLORS)
