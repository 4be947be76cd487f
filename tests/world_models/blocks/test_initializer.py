"""Where slots start: on what differs, and not on an edge."""

from __future__ import annotations

import pytest
import torch

from armillary.world_models.blocks.initializer import FarthestPointInitializer


@pytest.mark.parametrize("patch", [2, 4])
def test_no_slot_starts_on_an_edge(patch: int) -> None:
    frame = torch.zeros(1, 3, 16, 16)
    frame[..., 6:] = 1.0
    seeds = FarthestPointInitializer(5, patch)(frame)[0]
    assert (seeds[:, 0] - 6 / 16).abs().min() >= patch / 2 / 16
    assert (seeds[:, 0] > 6 / 16).unique().tolist() == [False, True]


def test_a_slot_starts_in_the_middle_of_a_patch() -> None:
    frame = torch.zeros(1, 3, 8, 8)
    frame[:, 0, 2:4, 5:7] = 1.0
    background, spot = FarthestPointInitializer(2)(frame)[0]
    assert spot.tolist() == [0.75, 0.375]
    assert not torch.equal(background, spot)


def test_colour_and_place_are_weighed() -> None:
    frame = torch.full((1, 3, 16, 16), 0.5)
    frame[:, :, :4, :4] = 1.0  # a corner, black to white 0.87 apart
    frame[:, :, 6:10, 6:10] = 0.4
    by_colour = FarthestPointInitializer(3, place_weight=0.01)(frame)[0]
    by_place = FarthestPointInitializer(3, place_weight=10.0)(frame)[0]
    assert (by_colour[2] - 0.5).abs().max() < 0.13
    assert (by_place[2] - 0.5).abs().max() > 0.3


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_a_seed_knows_the_mean_colour_of_its_patch(patch: int) -> None:
    frames = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    seeds = FarthestPointInitializer(4, patch).seeds(frames)
    corners = (seeds.places * 9 - patch / 2).round().long().tolist()
    patches = [
        [frame[:, y : y + patch, x : x + patch].mean((-1, -2)) for x, y in places]
        for frame, places in zip(frames, corners, strict=True)
    ]
    torch.testing.assert_close(seeds.colors, torch.stack([torch.stack(one) for one in patches]))
