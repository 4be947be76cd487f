"""How things lie is learned from turned frames: of what can be told, and of nothing else."""

from __future__ import annotations

import math

import pytest
import torch

from armillary.world_models.slots.orientation import (
    Orientation,
    random_angles,
    turned,
    turned_frames,
)
from armillary.world_models.slots.state import SlotState


def test_a_quarter_turn_of_places_and_frames_is_the_same() -> None:
    quarter = torch.full((1,), math.pi / 2)
    frames = torch.zeros(1, 3, 8, 8)
    frames[:, :, 1, 5] = 1.0  # x 5.5 of 8, y 1.5 of 8
    after = turned_frames(frames, quarter)
    place = 0.5 + turned(torch.tensor([[[5.5, 1.5]]]) / 8 - 0.5, quarter)
    assert (place * 8).flatten().tolist() == pytest.approx([6.5, 5.5])
    assert after[0, 0, 5, 6].item() == pytest.approx(1.0, abs=1e-4)
    assert after.sum().item() == pytest.approx(3.0, abs=1e-3)


def test_what_is_turned_in_goes_on_as_the_edge() -> None:
    frames = torch.full((2, 3, 16, 16), 0.7)
    assert turned_frames(frames, torch.tensor([0.3, 2.0])).sub(0.7).abs().max() < 1e-5


def test_angles_are_drawn_all_round() -> None:
    torch.manual_seed(0)
    angles = random_angles(torch.zeros(1000))
    assert angles.min() >= 0.0
    assert angles.max() > 6.2


def learned(symmetry: int) -> tuple[torch.Tensor, torch.Tensor]:
    """True angles, and orientations learned of things that look alike ``symmetry`` times a turn."""
    torch.manual_seed(0)
    model = Orientation(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def shown(angle: torch.Tensor) -> SlotState:
        looks = symmetry * angle
        content = torch.stack([looks.cos(), looks.sin(), looks.sin(), torch.ones_like(looks)], -1)
        content = content.unsqueeze(1).expand(-1, 2, -1)
        middle = torch.full((len(angle), 2, 2), 0.5)
        return SlotState(content, middle, middle)

    for _ in range(200):
        first, turn = random_angles(torch.zeros(64)), random_angles(torch.zeros(64))
        optimizer.zero_grad()
        model.loss(shown(first), shown(first + turn), turn).total.backward()
        optimizer.step()
    angles = random_angles(torch.zeros(100))
    with torch.no_grad():
        return angles, model(shown(angles).content[:, 1])


def test_orientations_turn_with_the_thing_and_have_length_one() -> None:
    angles, vectors = learned(symmetry=1)
    assert vectors.norm(dim=-1).sub(1.0).abs().mean() < 0.1
    offset = torch.atan2(vectors[:, 1], vectors[:, 0]) - angles
    together = torch.stack([offset.cos(), offset.sin()]).mean(1).norm()
    assert together > 0.98, "one offset for all"


def test_nothing_is_told_of_what_looks_alike_when_it_is_turned() -> None:
    assert learned(symmetry=2)[1].norm(dim=-1).max() < 0.4


def test_what_is_not_found_where_it_should_be_is_left_out() -> None:
    model = Orientation(4)
    content = torch.randn(1, 3, 4)
    places = torch.tensor([[[0.5, 0.5], [0.5, 0.5], [0.2, 0.5]]])
    state, turn = SlotState(content, places, places), torch.zeros(1)
    elsewhere = places.clone()
    elsewhere[:, 2] += 0.1
    after = SlotState(content.clone(), elsewhere, places)
    told = model.loss(state, after, turn).total
    after.content[:, 2] = 100.0
    assert torch.equal(model.loss(state, after, turn).total, told)
    after.content[:, 1] = 100.0
    assert not torch.equal(model.loss(state, after, turn).total, told)
