"""Slot attention in slot-centred frames: where its places are, and what has no place."""

from __future__ import annotations

import pytest
import torch

from armillary.world_models.blocks.slot_attention import (
    SlotAttention,
    frame_moments,
    per_slot,
    token_grid,
)


def test_a_grid_has_the_centres_of_its_cells_row_by_row() -> None:
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert torch.equal(token_grid(2), torch.tensor(expected))
    assert token_grid(5).mean(0).tolist() == pytest.approx([0.5, 0.5])


def test_moments_are_those_of_the_place_in_the_slots_own_frame() -> None:
    grid = torch.tensor([[0.5, 0.25], [0.2, 1.0]])
    position, extent = torch.tensor([[[0.25, 0.75]]]), torch.tensor([[0.25]])
    first, second = frame_moments(grid, position, extent)[0, 0]
    assert first.tolist() == [1.0, -2.0, 1.0, 4.0, -2.0]
    assert second.tolist() == pytest.approx([-0.2, 1.0, 0.04, 1.0, -0.2])
    far = frame_moments(grid, position, extent / 100)[0, 0]
    assert far.tolist() == [[3.0, -3.0, 9.0, 9.0, -9.0], [-3.0, 3.0, 9.0, 9.0, -9.0]]


def test_the_first_number_is_the_backgrounds() -> None:
    assert per_slot(torch.tensor([[2.0], [5.0]]), 4).tolist() == [[2.0], [5.0], [5.0], [5.0]]


def attend(position: list[list[float]], tokens: torch.Tensor | None = None, iterations: int = 1):
    """(content, position) of one scene of alike slots; by default all tokens are alike too."""
    torch.manual_seed(0)
    attention = SlotAttention(token_size=6, content_size=8, object_extent=0.2)
    content = torch.randn(1, 1, 8).expand(1, len(position), 8)
    tokens = torch.ones(1, 64, 6) if tokens is None else tokens
    with torch.no_grad():
        return attention(tokens, content, torch.tensor([position]), iterations)[:2]


def test_an_object_looks_for_itself_where_it_was() -> None:
    _, position = attend([[0.5, 0.5], [0.3, 0.4], [0.7, 0.6]], iterations=3)
    assert position[0, 0].tolist() == [0.5, 0.5]
    assert position[0, 1:].flatten().tolist() == pytest.approx([0.3, 0.4, 0.7, 0.6], abs=0.1)
    assert (position[0, 1] < position[0, 2]).all()


def test_the_backgrounds_place_is_nothing_to_the_objects() -> None:
    content, position = attend([[0.5, 0.5], [0.3, 0.4], [0.7, 0.6]])
    elsewhere, moved = attend([[0.1, 0.9], [0.3, 0.4], [0.7, 0.6]])
    assert torch.equal(content[:, 1:], elsewhere[:, 1:])
    assert torch.equal(position[:, 1:], moved[:, 1:])
    assert moved[0, 0].tolist() == pytest.approx([0.1, 0.9])


def test_a_round_is_its_definition() -> None:
    torch.manual_seed(0)
    module = SlotAttention(token_size=6, content_size=8, object_extent=0.2)
    torch.nn.init.normal_(module.place_query.weight, 0.0, 0.3)
    tokens, content = torch.randn(2, 16, 6), torch.randn(2, 3, 8)
    position = torch.tensor([[[0.5, 0.5], [0.3, 0.4], [0.7, 0.6]]]).repeat(2, 1, 1)
    with torch.no_grad():
        found, place, _ = module(tokens, content, position, 1)
        for n in range(2):
            seen = module.norm_tokens(tokens[n])
            logits, moments = torch.zeros(3, 16), torch.zeros(3, 16, 5)
            for k, extent in enumerate((0.5, 0.2, 0.2)):
                query = module.norm_content(content[n, k])
                x, y = ((token_grid(4) - position[n, k]) / extent).clamp(-3, 3).T
                moments[k] = torch.stack([x, y, x**2, y**2, x * y], 1)
                logits[k] = module.key(seen) @ module.query(query) / 8**0.5
                if k > 0:
                    logits[k] += moments[k] @ module.place_query(query)
            attention = logits.softmax(0)
            weights = attention / attention.sum(1, keepdim=True)
            collected = weights @ module.value(seen)
            collected += module.place_value((weights.unsqueeze(1) @ moments).squeeze(1))
            after = module.update(collected, content[n])
            after = after + module.mlp(module.norm_update(after))
            assert torch.allclose(found[n], after, atol=1e-5)
            assert torch.equal(place[n, 0], position[n, 0])
            assert torch.allclose(place[n, 1:], (weights @ token_grid(4))[1:], atol=1e-5)


def test_before_training_an_object_looks_around_itself_as_far_as_it_reaches() -> None:
    module = SlotAttention(token_size=6, content_size=8, object_extent=0.2)
    falls = module.place_query(torch.randn(5, 8))
    assert torch.equal(falls, torch.tensor([0.0, 0.0, -2.0, -2.0, 0.0]).expand(5, 5))
