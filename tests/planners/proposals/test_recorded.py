"""Recorded episodes: which are alike, and what is proposed of them."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.proposals import recorded as module
from armillary.planners.proposals.query import Query
from armillary.planners.proposals.recorded import Recorded

IDLE = torch.tensor([9.0, 9.0])


def episodes(count: int = 6, frames: int = 8, slots: int = 3, size: int = 4) -> Recorded:
    generator = torch.Generator().manual_seed(0)
    shown = torch.randn(count, frames, slots, size, generator=generator)
    actions = torch.randn(count, frames - 1, 2, generator=generator)
    return Recorded(shown, actions, torch.ones(count, slots), torch.zeros(count, slots))


def asked(known: Recorded, episode: int, first: int, last: int) -> Query:
    """From one recorded scene to another."""
    slots, goal = known.slots[episode, first], known.slots[episode, last]
    flags = torch.ones(1, slots.shape[0])
    return Query(slots.unsqueeze(0), goal.unsqueeze(0), flags, 0 * flags)


def test_what_was_recorded_is_found_and_ends_where_its_goal_was_reached() -> None:
    known = episodes()
    (found,) = known.nearest(asked(known, 4, 2, 5), 3, 6, IDLE)
    assert found.shape == (3, 6, 2)
    assert torch.equal(found[0, :3], known.actions[4, 2:5])
    assert torch.equal(found[0, 3:], IDLE.expand(3, 2))


def test_a_goal_beyond_the_horizon_is_gone_towards() -> None:
    """Of the two moments the second is at most the horizon later."""
    known = episodes()
    (found,) = known.nearest(asked(known, 4, 2, 7), 1, 2, IDLE)
    assert found.shape == (1, 2, 2)


def test_an_episode_that_ends_too_early_is_followed_by_nothing() -> None:
    known = episodes(frames=3)
    (found,) = known.nearest(asked(known, 1, 0, 2), 1, 9, IDLE)
    assert torch.equal(found[0], torch.cat([known.actions[1], IDLE.expand(7, 2)]))


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_slots_may_have_any_order(order: tuple[int, ...]) -> None:
    known = episodes()
    query = asked(known, 4, 2, 5)
    mixed = query.map(lambda tensor: tensor[:, list(order)])
    plain, shuffled = (known.nearest(one, 4, 6, IDLE) for one in (query, mixed))
    assert torch.equal(plain, shuffled)


def test_what_is_no_object_may_be_anywhere_in_the_end() -> None:
    known = episodes()
    query = asked(known, 4, 2, 5)
    goal = query.goal.clone()
    goal[0, 1] += 100.0
    objects = torch.tensor([[1.0, 0.0, 1.0]])
    found = known.nearest(Query(query.slots, goal, objects, 1 - objects), 1, 6, IDLE)
    assert torch.equal(found[0, 0, :3], known.actions[4, 2:5])
    wrong = known.nearest(Query(query.slots, goal, objects + (1 - objects), objects), 1, 6, IDLE)
    assert not torch.equal(wrong, found)


def total(pairs: Tensor) -> float:
    size = len(pairs)
    return min(
        float(sum(pairs[k, order[k]] for k in range(size))) for order in permutations(range(size))
    )


def test_episodes_come_in_the_order_of_their_best_match_by_hand() -> None:
    known = episodes(count=5, frames=4)
    generator = torch.Generator().manual_seed(3)
    slots, goal = torch.randn(2, 1, 3, 4, generator=generator)
    flags = torch.tensor([[1.0, 0.0, 1.0]])
    found = known.nearest(Query(slots, goal, flags, 0 * flags), 5, 3, IDLE)[0]
    costs = []
    for episode in range(5):
        moments = []
        for first in range(3):
            for last in range(first + 1, 4):
                pairs = (slots[0, :, None] - known.slots[episode, first]).square().mean(-1)
                ends = (goal[0, :, None] - known.slots[episode, last]).square().mean(-1)
                pairs = pairs + flags[0, :, None] * ends
                moments.append((float(pairs.amin(1).sum()), first, last, total(pairs)))
        _, first, last, cost = min(moments)
        costs.append((cost, episode, first, last))
    for row, (_, episode, first, last) in enumerate(sorted(costs)):
        assert torch.equal(found[row, : last - first], known.actions[episode, first:last])
        assert (found[row, last - first :] == 9.0).all()


def test_problems_do_not_depend_on_each_other_nor_on_how_many_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = episodes()
    queries = [asked(known, *moments) for moments in ((4, 2, 5), (1, 0, 3), (2, 3, 7))]
    together = Query(*(torch.cat(parts) for parts in zip(*map(_parts, queries), strict=True)))
    found = known.nearest(together, 2, 4, IDLE)
    monkeypatch.setattr(module, "_NUMBERS_AT_ONCE", 1)
    assert torch.equal(found, known.nearest(together, 2, 4, IDLE))
    for row, query in enumerate(queries):
        assert torch.equal(found[row : row + 1], known.nearest(query, 2, 4, IDLE))


def _parts(query: Query) -> tuple[Tensor, ...]:
    return query.slots, query.goal, query.objects, query.effector


def test_fewer_episodes_than_wanted_are_all_there_are() -> None:
    known = episodes(count=2)
    assert known.nearest(asked(known, 0, 0, 1), 16, 3, IDLE).shape == (1, 2, 3, 2)


def test_another_number_of_slots_is_refused() -> None:
    known = episodes()
    with pytest.raises(ArmillaryError, match=r"slots \(3, 4\), these have \(5, 4\)"):
        other = torch.zeros(1, 5, 4)
        known.nearest(Query(other, other, other[..., 0], other[..., 0]), 1, 2, IDLE)


@pytest.mark.parametrize(("count", "frames"), [(0, 8), (6, 1)])
def test_nothing_recorded_is_refused(count: int, frames: int) -> None:
    with pytest.raises(ArmillaryError, match="recorded episodes must hold at least one action"):
        episodes(count, frames)
