"""Parts of slot_dynamics: presence, identity, what is known from seeds, and losses."""

from __future__ import annotations

import math

import pytest
import torch

from armillary.world_models.blocks.initializer import FarthestPointInitializer, Seeds
from armillary.world_models.slots.discovery import falling, mask_loss
from armillary.world_models.slots.dynamics import Foresight, content_variance
from armillary.world_models.slots.identity import carried
from armillary.world_models.slots.seeding import affinity, hues, presence, unlikeness
from armillary.world_models.slots.state import SlotState, are_present, parked


def states(count: int = 2, slots: int = 4, size: int = 3, seed: int = 0) -> SlotState:
    generator = torch.Generator().manual_seed(seed)
    content = torch.randn(count, slots, size, generator=generator)
    position = torch.rand(count, slots, 2, generator=generator)
    return SlotState(content, position, torch.zeros_like(position))


def test_what_is_parked_is_absent_and_lies_outside() -> None:
    position = torch.rand(2, 3, 2)
    present = torch.tensor([[True, False, True], [True, True, False]])
    away = parked(position, present)
    assert torch.equal(are_present(away), present)
    assert torch.equal(away[present], position[present])
    assert (away[~present] < 0).all()


def test_identity_is_carried_whatever_the_order_in_which_things_are_found() -> None:
    before = states()
    order = torch.tensor([0, 3, 1, 2])
    found = before.map(lambda tensor: tensor[:, order] + 0.01)
    kept = carried(before, found, torch.ones(3), 0.2)
    assert torch.allclose(kept.content, before.content + 0.01)
    assert torch.allclose(kept.position, before.position + 0.01)


def test_identity_weighs_what_is_shown_by_its_variance() -> None:
    before = states(1, 3)
    swapped = SlotState(before.content, before.position[:, [0, 2, 1]], before.motion)
    by_content = carried(before, swapped, torch.full((3,), 1e-6), 0.2)
    by_place = carried(before, swapped, torch.full((3,), 1e6), 0.2)
    assert torch.equal(by_content.content, before.content)
    assert torch.equal(by_place.position, before.position)


def test_what_is_absent_stays_the_one_that_is_absent() -> None:
    before = states(1)
    present = torch.tensor([[True, True, False, True]])
    before = SlotState(before.content, parked(before.position, present), before.motion)
    found = before.map(lambda tensor: tensor[:, [0, 2, 3, 1]])
    assert torch.equal(carried(before, found, torch.ones(3), 0.2).position, before.position)


def test_what_is_found_no_more_is_hidden_where_it_was_and_comes_back() -> None:
    before = states(1)
    found = SlotState(before.content + 0.01, before.position + 0.01, before.motion)
    found.content[:, 2] = 100.0  # something else in its place
    kept = carried(before, found, torch.ones(3), 0.2, unlike=4.0)
    assert torch.equal(kept.content[:, 2], before.content[:, 2])
    assert torch.equal(kept.position[:, 2], before.position[:, 2])
    assert torch.allclose(kept.content[:, 1], before.content[:, 1] + 0.01)
    assert kept.found.tolist() == [[1, 1, 0, 1]]
    assert kept.seen.tolist() == [[True, True, False, True]]
    again = carried(kept, before, torch.ones(3), 0.2, unlike=4.0)
    assert again.seen.all()
    assert torch.equal(carried(before, found, torch.ones(3), 0.2).content, found.content)


def test_what_is_new_takes_the_place_of_what_is_absent() -> None:
    before = states(1)
    present = torch.tensor([[True, True, False, True]])
    missing = SlotState(before.content, parked(before.position, present), before.motion)
    kept = carried(missing, before, torch.ones(3), 0.2, unlike=4.0)
    assert torch.equal(kept.position, before.position)
    assert kept.seen.all()
    left = carried(before, missing, torch.ones(3), 0.2, unlike=4.0)
    assert torch.equal(left.position, before.position)
    assert left.seen.tolist() == present.tolist()


def test_before_a_known_background_things_are_what_differs_from_it_where_they_are() -> None:
    behind = torch.zeros(1, 3, 32, 32)
    behind[:, :, :, 16:] = 1.0
    frame = behind.clone()
    frame[:, :, 4:10, 4:10] = 1.0  # as the right half
    frame[:, :, 20:26, 20:26] = 0.0  # as the left one
    seeds = FarthestPointInitializer(3).seeds(frame, behind)
    places = sorted((seeds.places[0, 1:] * 32).tolist())
    assert all(4 < x < 10 for x in places[0])
    assert all(20 < x < 26 for x in places[1])
    logits = unlikeness(frame, behind, 16, 10.0).view(16, 16)
    assert logits[3, 3].item() == logits[11, 11].item() == -20.0, "not less, however unlike"
    assert logits[0].eq(0).all()


def test_seeds_tell_colours_and_how_far_they_lie_apart() -> None:
    frame = torch.ones(1, 3, 32, 32)
    frame[:, :, 4:10, 4:10] = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    seeds = FarthestPointInitializer(3).seeds(frame)
    assert seeds.colors[0, 1].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert seeds.apart[0, 0] == math.inf
    assert seeds.apart[0, 1] == pytest.approx(math.sqrt(2))
    assert seeds.apart[0, 2] < 0.6, "white again, half a width away at most"
    assert presence(seeds, 0.8).tolist() == [[True, True, False]]
    assert presence(seeds, 0.0).all()


def test_affinity_is_the_distance_of_colours_and_blind_where_nothing_is() -> None:
    frames = torch.zeros(1, 3, 4, 4)
    frames[:, :, :, 2:] = 1.0
    seeds = Seeds(torch.rand(1, 2, 2), torch.zeros(1, 2, 3), torch.ones(1, 2))
    logits = affinity(frames, seeds, 2, 10.0, torch.tensor([[True, False]]))
    assert logits[0, 0].tolist() == [0.0, -30.0, 0.0, -30.0]
    assert (logits[0, 1] < -1000).all()


def test_sides_of_a_thing_are_alike_in_hue_however_they_are_lit() -> None:
    blue, cyan, grey = (0.16, 0.36, 0.86), (0.12, 0.72, 0.78), (0.62, 0.62, 0.63)
    frames = torch.tensor([blue, cyan, grey]).view(3, 3, 1, 1)
    lit, dark = (hues(share * frames, 0.3).flatten(1) for share in (0.9, 0.4))
    assert torch.cdist(lit, dark).diagonal().max() < 0.3
    assert torch.pdist(lit).min() > 0.5
    assert torch.pdist(dark).min() > 0.45
    in_colours = torch.cdist(0.9 * frames.flatten(1), 0.4 * frames.flatten(1))
    assert in_colours.diagonal().min() > 0.4, "further apart than the surfaces are"


def test_masks_are_told_what_is_seen_and_do_not_tell_it() -> None:
    attention = torch.tensor([[[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9]]], requires_grad=True)
    logits = torch.zeros(1, 2, 1, 4, 4, requires_grad=True)
    loss = mask_loss(logits.softmax(1), attention)
    assert loss.item() == pytest.approx(4 * math.log(2))
    loss.backward()
    assert attention.grad is None
    assert logits.grad is not None
    assert (logits.grad[0, 0, 0, :2] < 0).all(), "the first mask grows where it is seen"
    assert (logits.grad[0, 0, 0, 2:] > 0).all()


def test_a_weight_falls_by_the_step_whatever_counts_it() -> None:
    for step, expected in ((0, 60.0), (750, 31.0), (1500, 2.0), (9000, 2.0)):
        assert falling((60.0, 2.0), 1500, step) == pytest.approx(expected)
        assert float(falling((60.0, 2.0), 1500, torch.tensor(step))) == pytest.approx(expected)


def test_the_variance_is_that_over_time_of_what_is_present() -> None:
    content = torch.zeros(2, 2, 3, 1)  # N, T, K, Z
    content[:, 0, 1], content[:, 1, 1] = -2.0, 2.0
    content[:, :, 2] = torch.tensor([7.0, -7.0]).view(2, 1, 1)  # differ for good
    content[:, :, 0] = torch.randn(2, 2, 1) * 100  # the background
    position = torch.rand(2, 2, 3, 2)
    spread = content_variance(SlotState(content, position, position), torch.tensor([0.5]))
    assert spread.item() == pytest.approx((4.0 + 0.0) / 2 + 0.25)
    present = torch.ones(2, 2, 3, dtype=torch.bool)
    present[:, :, 2] = False
    away = SlotState(content, parked(position, present), position)
    assert content_variance(away, torch.tensor([0.5])).item() == pytest.approx(4.25)


def test_errors_count_in_their_units_and_only_of_what_is_there() -> None:
    target = SlotState.stack([states(2, 3)] * 3, 1)
    std = torch.ones(2, 2, 5)

    def off(content: float, place: float, absent: bool = False) -> float:
        def step(state, action, noise):
            return SlotState(state.content + content, state.position + place, state.motion), std

        aim = target
        if absent:
            present = torch.tensor([True, False, True]).expand(2, 3, 3)
            aim = SlotState(target.content, parked(target.position, present), target.motion)
        loss = Foresight(torch.full((3,), 8.0), 0.2, 5.0, None, 0.0, 1).loss(
            step, aim, torch.zeros(2, 2, 1)
        )
        return loss.terms["rollout_error"].item()

    assert off(4.0, 0.0) == pytest.approx((16.0 + 64.0) / 2 / 16)
    assert off(0.0, 0.2) == pytest.approx(5.0 * (1.0 + 4.0) / 2, rel=1e-4)
    assert off(4.0, 0.0, absent=True) == pytest.approx((16.0 + 64.0) / 2 / 16 / 2)


def test_places_in_the_scene_are_foreseen_where_they_count() -> None:
    target = SlotState.stack([states(2, 3)] * 3, 1)
    std = torch.ones(2, 2, 5)

    def step(state, action, noise):
        return SlotState(state.content + 1.0, state.position, state.motion), std

    def error(weight: float) -> float:
        foresight = Foresight(
            torch.ones(3),
            0.2,
            5.0,
            None,
            0.0,
            1,
            lambda state: 2.0 * state.content[..., :2],
            weight,
        )
        told = foresight.loss(step, target, torch.zeros(2, 2, 1))
        return told.terms["rollout_error"].item()

    assert error(1.0) - error(0.0) == pytest.approx((8.0 + 32.0) / 2, rel=1e-4)


def test_what_is_remembered_is_no_target() -> None:
    target = SlotState.stack([states(2, 3)] * 3, 1)
    target.found[:, 1:, 2] = 0.0
    std = torch.ones(2, 2, 5)

    def step(state, action, noise):
        position = state.position.clone()
        position[:, 2] += 1.0
        return SlotState(state.content, position, state.motion, state.found), std

    told = Foresight(torch.ones(3), 0.2, 5.0, None, 0.0, 1).loss(step, target, torch.zeros(2, 2, 1))
    assert told.terms["rollout_error"].item() == 0.0
