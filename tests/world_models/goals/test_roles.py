"""Strategies that tell background, effector and objects apart."""

from __future__ import annotations

import logging

import gymnasium as gym
import numpy as np
import pytest
import torch

from armillary.contracts.imagined import view
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.goals.roles import FindRoles, first, largest, moved, no_background
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.registry import build_model
from armillary.world_models.simulator import View


def scenes() -> View:
    """Two scenes of four slots; their masks are equal shares, but for slot 2, which has more."""
    made = view((2,), seed=0)
    masks = torch.full((2, 4, 1, 6, 6), 0.1)
    masks[:, 2] = 0.7
    made.__dict__["masks"] = masks
    return made


def test_the_background_is_the_largest_the_first_or_none() -> None:
    assert largest(scenes()).tolist() == [[0, 0, 1, 0]] * 2
    assert first(scenes()).tolist() == [[1, 0, 0, 0]] * 2
    assert not no_background(scenes()).any()


def test_probes_stay_within_the_bounds_and_ask_nothing_of_a_still_action() -> None:
    asked = []

    def probe(actions: torch.Tensor) -> torch.Tensor:
        """Slot 1 goes where the actions say: they are places."""
        asked.append(actions)
        places = torch.full((2, len(actions), 4, 2), 0.5)
        places[:, :, 1] = actions[:, -1]
        return places

    low, high = torch.tensor([0.2, 10.0]), torch.tensor([0.8, 30.0])
    assert moved(scenes(), probe, low, high).tolist() == [[0, 1, 0, 0]] * 2
    assert torch.equal(asked[0].amin((0, 1)), low)
    assert torch.equal(asked[0].amax((0, 1)), high)
    assert not (asked[0] == 0).any()


def test_parts_of_what_is_moved_are_no_objects() -> None:
    def probe(actions: torch.Tensor) -> torch.Tensor:
        """Slot 1 follows the actions, slot 2 half as far, slot 3 hardly."""
        places = torch.full((2, len(actions), 4, 2), 0.5)
        for slot, share in ((1, 1.0), (2, 0.5), (3, 0.1)):
            places[:, :, slot] += share * actions[:, -1]
        return places

    roles = FindRoles(first, "moved_parts", presence=0.05)(scenes(), probe, 2)
    assert roles.effector.tolist() == [[0, 1, 0, 0]] * 2
    assert roles.objects.tolist() == [[0, 0, 0, 1]] * 2
    roles = FindRoles(first, "moved", presence=0.05)(scenes(), probe, 2)
    assert roles.objects.tolist() == [[0, 0, 1, 1]] * 2


@pytest.mark.parametrize(("way", "found"), [(0.001, False), (0.2, True)])
def test_what_hardly_stirs_is_no_effector_of_parts(way: float, found: bool) -> None:
    """The hand may be out of sight at first: then all things drift by as little."""

    def probe(actions: torch.Tensor) -> torch.Tensor:
        places = torch.full((2, len(actions), 4, 2), 0.5)
        places[:, :, 1:] += way * actions[:, -1, None]
        places[:, :, 3] += way * actions[:, -1]
        return places

    roles = FindRoles(first, "moved_parts", presence=0.05)(scenes(), probe, 2)
    assert roles.effector.any().item() is found
    assert roles.objects.any().item() is not found


def test_own_strategies_take_the_place_of_names() -> None:
    def last(seen: View) -> torch.Tensor:
        return seen.masks.new_tensor([[0, 0, 0, 1]]).expand(2, -1)

    find = FindRoles(last, "none", presence=0.05)
    roles = find(scenes(), lambda actions: actions, 2)
    assert roles.objects.tolist() == [[1, 1, 1, 0]] * 2
    assert not roles.effector.any()


def test_models_of_one_slot_are_not_told_of_missing_objects(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = build_model("vrnn", image_size=64, action_size=2)
    simulator = LatentSimulator(model, "cpu")
    env = gym.make("armillary/PushBlocks-v0", image_size=64)
    observations = [env.reset(seed=0)[0]]
    with caplog.at_level(logging.WARNING):
        state = simulator.observe(None, np.zeros((1, 2), np.float32), observations)
        simulator.goal(state, observations)
    assert not caplog.records


@pytest.mark.parametrize(("blocks", "slots", "told"), [(3, 5, 0), (4, 5, 1), (4, 6, 0)])
def test_scenes_of_more_things_than_slots_are_told(
    blocks: int, slots: int, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = LatentSimulator(load_model("pretrained/push_blocks", num_slots=slots), "cpu")
    env = gym.make("armillary/PushBlocks-v0", num_blocks=blocks)
    observations = [env.reset(seed=seed)[0] for seed in range(4)]
    with caplog.at_level(logging.WARNING):
        state = simulator.observe(None, np.zeros((4, 2), np.float32), observations)
        simulator.observe(state, np.zeros((4, 2), np.float32), observations)
    assert len(caplog.records) == told
    if told:
        assert "4 of 4 scenes" in caplog.text
        assert f"num_slots={slots + 1}" in caplog.text


def test_absolute_actions_need_no_still_one() -> None:
    model = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=3)
    assert LatentSimulator(model, "cpu").context_length == 2
    assert LatentSimulator(model, "cpu", still=False).context_length == 1
