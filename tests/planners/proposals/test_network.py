"""The inverse-dynamics network, and how it learns."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from armillary.errors import ArmillaryError
from armillary.planners.proposals.learning import Settings, drawn, errors, learn, loss_of
from armillary.planners.proposals.network import InverseDynamics
from armillary.planners.proposals.query import Query
from armillary.planners.proposals.recorded import Recorded


def walks(episodes: int = 200, frames: int = 7) -> Recorded:
    """Three slots: a floor, a point that actions in [-1, 1] move by a tenth, and one that waits."""
    generator = torch.Generator().manual_seed(0)
    actions = torch.rand(episodes, 1, 2, generator=generator).expand(-1, frames - 1, -1) * 2 - 1
    places = torch.zeros(episodes, frames, 3, 2)
    places[:, 1:, 1] = 0.1 * actions.cumsum(1)
    places[:, :, 1:] += torch.rand(episodes, 1, 2, 2, generator=generator)
    kinds = torch.eye(3).expand(episodes, frames, 3, 3)
    flags = torch.tensor([0.0, 1.0, 1.0]).expand(episodes, 3)
    return Recorded(torch.cat([kinds, places], -1), actions.contiguous(), flags, 0 * flags)


def query(count: int = 5, slots: int = 4) -> Query:
    generator = torch.Generator().manual_seed(1)
    shown = torch.randn(2, count, slots, 6, generator=generator)
    flags = (torch.rand(2, count, slots, generator=generator) > 0.5).float()
    return Query(*shown, *flags)


@pytest.fixture
def network() -> InverseDynamics:
    torch.manual_seed(0)
    return InverseDynamics(slot_size=6, action_size=2, horizon=5, guesses=3, width=16).eval()


def test_guesses_lie_between_the_recorded_ends(network: InverseDynamics) -> None:
    network.low.copy_(torch.tensor([-3.0, 1.0]))
    network.high.copy_(torch.tensor([-1.0, 1.0]))
    guesses = network.guess(query())
    assert guesses.shape == (5, 3, 5, 2)
    assert (guesses >= network.low).all()
    assert (guesses <= network.high).all()


def test_the_order_and_the_number_of_slots_do_not_matter(network: InverseDynamics) -> None:
    asked = query()
    mixed = asked.map(lambda tensor: tensor[:, [2, 0, 3, 1]])
    assert_close(network.guess(asked), network.guess(mixed))
    assert network.guess(query(slots=7)).shape == (5, 3, 5, 2)


def test_what_is_no_object_has_no_goal(network: InverseDynamics) -> None:
    asked = query()
    goal = torch.where(asked.objects.unsqueeze(-1) > 0, asked.goal, 100.0)
    elsewhere = Query(asked.slots, goal, asked.objects, asked.effector)
    assert torch.equal(network.guess(asked), network.guess(elsewhere))
    moved = Query(asked.slots, asked.goal + 1, asked.objects, asked.effector)
    assert not torch.allclose(network.guess(asked), network.guess(moved))


def test_the_most_trusted_guess_comes_first(network: InverseDynamics) -> None:
    asked = query()
    actions, trust = network(asked)
    first = actions[torch.arange(5), trust.argmax(1)]
    assert_close(network.guess(asked)[:, 0], first)  # low and high are -1 and 1


def test_pairs_are_what_was_done_from_one_moment_to_a_later_one() -> None:
    known = walks(episodes=3)
    pairs = drawn(known, 4, 200, torch.Generator().manual_seed(0))
    assert pairs.query.slots.shape == (200, 3, 5)
    steps = pairs.valid.sum(1)
    assert steps.unique().tolist() == [1, 2, 3, 4]
    gone = (pairs.query.goal - pairs.query.slots)[:, 1, 3:]
    near = steps < 4  # further away than the horizon, the way is longer than what is kept of it
    assert_close(gone[near], 0.1 * pairs.actions.sum(1)[near])
    assert (pairs.actions[pairs.valid == 0] == 0).all()
    assert (gone[~near].norm(dim=1) >= 0.1 * pairs.actions.sum(1)[~near].norm(dim=1) - 1e-6).all()


def test_what_the_second_moment_does_not_show_is_no_object() -> None:
    """As in plans: a goal says nothing of what it does not show."""
    known = walks(episodes=3)
    shown = torch.ones(known.slots.shape[:3])
    shown[:, 2:, 1] = 0.0
    pairs = drawn(known, 4, 200, torch.Generator().manual_seed(0), shown)
    all_shown = drawn(known, 4, 200, torch.Generator().manual_seed(0))
    assert torch.equal(pairs.actions, all_shown.actions)
    gone = pairs.query.objects[:, 1] != all_shown.query.objects[:, 1]
    assert gone.any()
    assert not gone.all()
    assert torch.equal(pairs.query.objects[:, 2:], all_shown.query.objects[:, 2:])


def test_what_follows_the_goal_is_not_learnt(network: InverseDynamics) -> None:
    known = walks(episodes=3)
    known = Recorded(
        torch.cat([known.slots, known.slots[..., :1]], -1),
        *(known.actions, known.objects, known.effector),
    )
    pairs = drawn(known, 5, 30, torch.Generator().manual_seed(0))
    changed = pairs.actions.masked_fill(pairs.valid.unsqueeze(-1) == 0, 5.0)
    before = errors(network, pairs)[0]
    after = errors(network, type(pairs)(pairs.query, changed, pairs.valid))[0]
    assert torch.equal(before, after)


def test_it_learns_which_way_to_go_and_the_same_by_its_seed() -> None:
    known, told = walks(), []
    before = torch.get_rng_state()
    settings = Settings(steps=80, batch=32, learning_rate=5e-3, seed=3)
    network = learn(known, 4, settings, lambda step, loss: told.append((step, float(loss))))
    assert torch.equal(torch.get_rng_state(), before)
    assert [step for step, _ in told] == list(range(80))
    pairs = drawn(known, 4, 500, torch.Generator().manual_seed(9))
    error, trust = errors(network, pairs)
    nothing = pairs.actions.square().sum((1, 2)) / pairs.valid.sum(1) / 2
    trusted = error.gather(1, trust.argmax(1, keepdim=True))
    assert trusted.mean() < 0.3 * nothing.mean()
    again = learn(known, 4, settings)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_guesses_part_where_there_are_two_ways() -> None:
    """Half of the episodes go up, half go down, between the same scenes."""
    known = walks(episodes=2, frames=2)
    ways = torch.tensor([[[1.0, 0.5]], [[-1.0, 0.5]]])
    known = Recorded(known.slots[:1].expand(2, -1, -1, -1), ways, known.objects, known.effector)
    network = learn(known, 1, Settings(steps=80, batch=16, learning_rate=5e-3))
    pairs = drawn(known, 1, 100, torch.Generator().manual_seed(0))
    assert errors(network, pairs)[0].amin(1).mean() < 0.05
    assert loss_of(network, pairs).isfinite()


@pytest.mark.parametrize("settings", [{"steps": 0}, {"batch": 0}])
def test_refuses_bad_settings(settings: dict[str, int]) -> None:
    with pytest.raises(ArmillaryError, match="must be at least 1, got 0"):
        Settings(**settings)
