"""Pairwise dynamics against their definition, pair by pair."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from armillary.world_models.blocks.pairwise_dynamics import PairwiseDynamics

SIZE = 3


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_each_slot_receives_the_effects_of_the_others(slots: int, ordered: bool) -> None:
    torch.manual_seed(0)
    dynamics = PairwiseDynamics(SIZE, 0, "none", slots, ordered)
    embedded = torch.randn(2, slots, 2 * SIZE)
    expected = torch.zeros(2, slots, 4 * SIZE)
    for one in range(slots):
        for other in range(slots):
            if one == other:
                continue
            first, second = sorted((one, other)) if ordered else (one, other)
            pair = torch.cat([embedded[:, first], embedded[:, second]], -1)
            effect = torch.nn.functional.elu(dynamics.effect(pair))
            expected[:, one] += dynamics.attention(effect).sigmoid() * effect
    assert_close(dynamics._effects(embedded), expected)


def test_an_action_gates_what_the_slots_are_seen_as() -> None:
    torch.manual_seed(0)
    dynamics = PairwiseDynamics(SIZE, 2, "none", 1, False)
    latents, action = torch.randn(5, 1, SIZE), torch.randn(5, 2)
    elu = torch.nn.functional.elu
    seen = torch.cat([elu(dynamics.embed(latents[:, 0])), elu(dynamics.action_embed(action))], -1)
    acted = elu(dynamics.action_effect(seen))
    acted = dynamics.action_attention(acted).sigmoid() * acted
    result = dynamics.combine(torch.cat([acted, torch.zeros(5, 4 * SIZE)], -1))
    loc, scale, memory = dynamics(latents, torch.zeros(5, 1, 0), action)
    assert_close(loc[:, 0], dynamics.loc(result))
    assert_close(scale[:, 0], dynamics.scale(result))
    assert memory.shape == (5, 1, 0)


def test_a_recurrent_memory_is_made_of_the_result() -> None:
    torch.manual_seed(0)
    dynamics = PairwiseDynamics(SIZE, 0, "recurrent", 1, False)
    latents, memory = torch.randn(5, 1, SIZE), torch.randn(5, 1, SIZE)
    embedded = torch.nn.functional.elu(dynamics.embed(latents[:, 0]))
    carried = dynamics.gru(embedded, memory[:, 0])
    result = dynamics.combine(torch.cat([carried, carried, torch.zeros(5, 4 * SIZE)], -1))
    loc, _, after = dynamics(latents, memory, torch.zeros(5, 0))
    assert_close(after[:, 0], dynamics.hidden(result))
    assert_close(loc[:, 0], dynamics.loc(result))
