"""Places in the scene, learned from actions that say how far their effector goes."""

from __future__ import annotations

import itertools

import pytest
import torch

from armillary.errors import ArmillaryError
from armillary.world_models.registry import build_model
from armillary.world_models.slots.displacement import Displacement, effectors
from armillary.world_models.slots.readout import Readout
from armillary.world_models.slots.state import SlotState

STEPS = 8


def clips(count: int, seed: int) -> tuple[SlotState, torch.Tensor, torch.Tensor]:
    """States of a hand, of a thing that it takes along from the middle on, and of one that rests.

    Also the ways of the hand, and the true places: the image tells two numbers, content the third.
    """
    generator = torch.Generator().manual_seed(seed)
    ways = torch.empty(count, STEPS - 1, 3).uniform_(-1, 1, generator=generator)
    start = torch.empty(count, 3).uniform_(-2, 2, generator=generator)
    hand = start.unsqueeze(1) + torch.nn.functional.pad(ways.cumsum(1), (0, 0, 1, 0))
    half = STEPS // 2
    taken = torch.cat([hand[:, half : half + 1].expand(-1, half, -1), hand[:, half:]], 1)
    rests = torch.empty(count, 1, 3).uniform_(-2, 2, generator=generator).expand(-1, STEPS, -1)
    places = torch.stack([hand, taken, rests], 2)
    content = torch.cat([places[..., 2:], torch.eye(3).expand(count, STEPS, 3, 3)], -1)
    position = 0.5 + 0.06 * places[..., :2]
    return SlotState(content, position, torch.zeros_like(position)), ways, places


def test_places_are_learned_from_ways_alone() -> None:
    torch.manual_seed(0)
    readout = Readout(4, 3, 0.2, width=32)
    optimizer = torch.optim.Adam(readout.parameters(), 5e-3)
    for step in range(400):
        states, ways, _ = clips(32, step)
        optimizer.zero_grad()
        Displacement(readout).loss(states, ways).total.backward()
        optimizer.step()
    states, ways, places = clips(64, 1000)
    terms = Displacement(readout).loss(states, ways).terms
    assert set(terms) == {"way_error", "touch_error", "rest_error"}
    with torch.no_grad():
        error = readout(states) - places
    hand = error[:, :, 0] - error[:, :, 0].mean((0, 1))
    assert hand.abs().median() < 0.2
    taken = (error[:, :, 1] - error[:, :, 0])[:, STEPS // 2 :]
    assert taken.abs().median() < 0.3


def test_the_effector_is_what_moves_in_nearly_every_step_and_may_be_several_slots() -> None:
    moved = torch.tensor([[[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 0, 0]]])
    both = torch.ones_like(moved)
    both[0, 2, 1] = 0  # not seen to move where it is not seen
    assert effectors(moved.bool(), both.bool()).tolist() == [[True, True, False, False]]
    assert not effectors(torch.zeros(1, 5, 2).bool(), torch.ones(1, 5, 2).bool()).any()


def test_what_is_remembered_tells_nothing() -> None:
    states, ways, _ = clips(4, 0)
    readout = Readout(4, 3, 0.2)
    assert Displacement(readout).loss(states, ways).terms["touch_error"] > 0
    states.found[:, :, 1] = 0.0
    assert Displacement(readout).loss(states, ways).terms["touch_error"] == 0


def test_handles_are_in_units_of_actions_and_learned_in_one_way() -> None:
    sizes = {"image_size": 32, "action_size": 4, "num_slots": 3, "content_size": 8}
    model = build_model("slot_dynamics", **sizes, displacement=[0, 1, 2])
    assert "readout" in model.objectives
    state = model.observe(None, torch.zeros(2, 4), torch.rand(2, 3, 32, 32))
    before = model.handles(state)
    assert before.shape == (2, 3, 3)
    model.set_action_statistics(torch.ones(4), 2 * torch.ones(4))
    assert torch.equal(model.handles(state), before)
    with pytest.raises(ArmillaryError, match="not both"):
        build_model("slot_dynamics", **sizes, displacement=[0, 1], readout=[[0, 1]])
    with pytest.raises(ArmillaryError, match="displacement must name numbers"):
        build_model("slot_dynamics", **sizes, displacement=[4])


def test_the_dynamics_sees_where_things_are_in_the_scene_where_it_is_told_to() -> None:
    torch.manual_seed(0)
    sizes = {"image_size": 32, "action_size": 4, "num_slots": 4, "content_size": 8}
    for more, seen in itertools.product(
        ({"displacement": [0, 1, 2]}, {"readout": [[0, 1]]}), (True, False)
    ):
        model = build_model("slot_dynamics", **sizes, **more, in_scene=seen)
        torch.nn.init.normal_(model.dynamics.change.weight)
        state, action = (
            model.observe(None, torch.zeros(2, 4), torch.rand(2, 3, 32, 32)),
            torch.rand(2, 4),
        )
        before = model.step(state, action)
        with torch.no_grad():
            model.readout.net[-1].weight.mul_(2.0)
        after = model.step(state, action)
        assert torch.allclose(after.content[:, 1:], before.content[:, 1:]) != seen
        assert torch.equal(after.content[:, 0], state.content[:, 0])
    with pytest.raises(ArmillaryError, match="in_scene needs handles"):
        build_model("slot_dynamics", **sizes, in_scene=True)
