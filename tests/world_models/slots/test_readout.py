"""Places in the scene: what actions tell of them, and that they are learned from it alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.errors import ArmillaryError
from armillary.world_models.imagine import Budget, Imaginer
from armillary.world_models.registry import build_model
from armillary.world_models.slot_dynamics import SlotDynamics
from armillary.world_models.slots.readout import Labels, Readout
from armillary.world_models.slots.state import SlotState

EXTENT = 0.15


def seen(positions: list[list[float]]) -> SlotState:
    """One scene in which things are seen at x in so many frames; at -1 they are absent."""
    x = torch.tensor(positions).unsqueeze(0)
    place = torch.stack([x, x.clamp_max(0.5)], -1)
    return SlotState(torch.zeros(*x.shape, 3), place, torch.zeros_like(place))


def column(*values: float) -> Tensor:
    """(1, T - 1, 1)."""
    return torch.tensor(values).view(1, -1, 1)


def test_what_alone_moved_was_taken_there_and_is_where_it_was_put() -> None:
    states = seen([[0.1, 0.5], [0.1, 0.5], [0.4, 0.5], [0.4, 0.5]])
    labels = Labels.told(states, column(9.0, 1.0, 9.0), column(9.0, 4.0, 9.0), EXTENT)
    assert labels.known[0].tolist() == [[True, False]] * 4
    assert labels.places[0, :, 0, 0].tolist() == [1.0, 1.0, 4.0, 4.0]


def test_without_a_place_what_moved_is_known_before_alone() -> None:
    states = seen([[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]])
    labels = Labels.told(states, column(1.0, 5.0), None, EXTENT)
    assert labels.known[0].tolist() == [[True, True], [False, True], [False, False]]
    assert labels.places[0, :2, 1, 0].tolist() == [5.0, 5.0]


def test_where_two_moved_nothing_is_known_of_them_and_of_others_no_less() -> None:
    states = seen([[0.1, 0.5, 0.2], [0.4, 0.5, 0.2], [0.7, 0.9, 0.2], [0.7, 0.9, 0.6]])
    labels = Labels.told(states, column(1.0, 2.0, 3.0), column(4.0, 5.0, 6.0), EXTENT)
    known = [[True, False, True], [True, False, True], [False, False, True], [False, False, True]]
    assert labels.known[0].tolist() == known
    assert labels.places[0, :, 2, 0].tolist() == [3.0, 3.0, 3.0, 6.0]


def test_what_comes_or_goes_has_not_moved_from_anywhere() -> None:
    states = seen([[0.1, -1.0], [0.1, 0.9]])
    assert not Labels.told(states, column(1.0), column(2.0), EXTENT).known.any()


def scattered(count: int, objects: int = 3) -> SlotState:
    """Scenes of things that look like anything, at random places."""
    torch.manual_seed(1)
    place = torch.rand(count, objects, 2)
    return SlotState(torch.randn(count, objects, 3), place, torch.zeros_like(place))


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_places_are_told_in_any_order_of_slots_and_for_any_shape_of_states(layers: int) -> None:
    readout, state = Readout(3, 2, EXTENT, width=16, layers=layers), scattered(6)
    told = readout(state)
    order = torch.tensor([2, 0, 1])
    turned = state.map(lambda tensor: tensor[:, order])
    assert_close(readout(turned), told[:, order])
    assert_close(readout(state.reshape(2, 3)), told.unflatten(0, (2, 3)))


def test_with_layers_alone_others_matter_and_the_absent_are_not_heard() -> None:
    state = scattered(4)
    moved = state.map(torch.clone)
    moved.position[:, 2] = 0.5
    moved.content[:, 2] = 1.0
    for layers in (0, 1):
        readout = Readout(3, 2, EXTENT, width=16, layers=layers)
        alike = torch.isclose(readout(state)[:, :2], readout(moved)[:, :2]).all()
        assert bool(alike) == (layers == 0)
    for one in (state, moved):
        one.position[:, 2] = -1.0
    assert_close(readout(state)[:, :2], readout(moved)[:, :2])


def test_what_covers_a_thing_says_where_it_stands() -> None:
    """The first thing looks alike wherever it is; the second one lies on it."""

    def told(layers: int) -> float:
        torch.manual_seed(0)
        readout = Readout(3, 2, EXTENT, width=32, layers=layers)
        adam = torch.optim.Adam(readout.parameters(), 3e-3)
        error = torch.ones(())
        for step in range(200):
            place = torch.rand(64, 2, 2, generator=torch.Generator().manual_seed(step))
            place[:, 0] = 0.5
            state = SlotState(torch.zeros(64, 2, 3), place, torch.zeros_like(place))
            error = (readout(state)[:, 0] - place[:, 1]).square().mean()
            adam.zero_grad()
            error.backward()
            adam.step()
        return float(error.detach())

    assert told(1) < 0.01 < 0.05 < told(0)


def test_the_background_is_read_by_itself() -> None:
    related = model(content_size=3, readout=[[0, 1]], readout_layers=1)
    state = scattered(2)
    before = related.handles(state)
    state.content[:, 0] += 1.0
    assert_close(related.handles(state)[:, 1:], before[:, 1:])
    state.content[:, 1] += 1.0
    assert not torch.allclose(related.handles(state)[:, 2], before[:, 2])


def test_what_the_dynamics_learns_of_places_does_not_hear_the_background() -> None:
    learning = model(
        content_size=3, displacement=[0, 1], readout_layers=1, handle_weight=1.0, absent=0.1
    )
    state = scattered(6).reshape(2, 3)
    actions = torch.randn(2, 2, 4)

    def loss() -> Tensor:
        return learning.latent_loss(state, actions, "dynamics", 0).total

    before = loss()
    state.content[:, :, 0] += 1.0
    assert_close(loss(), before)
    state.content[:, 0, 1] += 1.0
    assert not torch.allclose(loss(), before)


def test_handles_are_told_in_pieces_as_at_once() -> None:
    told = model(content_size=3, readout=[[0, 1]], readout_layers=1).eval()
    state, pieces = scattered(20), []
    whole, handles = told.handles(state), told.handles

    def counted(piece: SlotState) -> Tensor:
        pieces.append(len(piece))
        return handles(piece)

    told.handles = counted  # type: ignore[method-assign]
    imaginer = Imaginer(told, "float32", False, Budget(pixels=3 * 32 * 32, bytes=1))
    with torch.no_grad():
        assert_close(imaginer.handles(state), whole)
    assert len(pieces) > 1
    assert sum(pieces) == 20


@pytest.mark.parametrize(
    "changes", [{"readout": [[0, 1]], "readout_layers": -1}, {"readout_layers": 1}]
)
def test_layers_of_no_readout_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ArmillaryError, match="readout_layers must be at least 0, and 0 where"):
        model(**changes)


def model(**changes: object) -> SlotDynamics:
    torch.manual_seed(0)
    settings = {"image_size": 32, "action_size": 4, "num_slots": 3, "content_size": 4}
    made = build_model("slot_dynamics", **{**settings, **changes})
    assert isinstance(made, SlotDynamics)
    return made


def scenes(count: int) -> tuple[SlotState, Tensor]:
    """One of two things moves; where it is seen at (x, y) it is at 5 (x, y) + 1."""
    position = torch.rand(count, 2, 3, 2) * 0.9
    one = torch.randint(1, 3, (count, 1, 1)).expand(-1, 1, 2)
    position[:, 1] = position[:, 0].scatter(1, one, position[:, 1].gather(1, one))
    before, after = (5.0 * position[:, t].gather(1, one)[:, 0] + 1.0 for t in (0, 1))
    content = torch.randn(count, 1, 3, 4).expand(-1, 2, -1, -1)
    states = SlotState(content, position, torch.zeros_like(position))
    return states, torch.cat([before + 0.1 * torch.randn(count, 2), after], -1).unsqueeze(1)


def test_places_are_learned_in_the_units_of_actions() -> None:
    learning = model(readout=[[0, 1], [2, 3]])
    states, actions = scenes(2000)
    learning.set_action_statistics(actions.mean((0, 1)), actions.std((0, 1)))
    parameters = learning.trainable("readout")
    assert {id(p) for p in parameters}.isdisjoint(id(p) for p in learning.trainable("joint"))
    optimizer = torch.optim.Adam(parameters, 3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        learning.latent_loss(states, actions, "readout", 0).total.backward()
        optimizer.step()
    fresh, _ = scenes(100)
    start = fresh.map(lambda tensor: tensor[:, 0])
    apart = (learning.handles(start) - (5.0 * start.position + 1.0))[:, 1:].norm(dim=-1)
    assert apart.median() < 0.15


def test_the_dynamics_sees_points_from_where_slots_are_in_the_scene() -> None:
    seeing = model(readout=[[0, 1]], points=[[0, 1], [2, 3]])
    seeing.set_action_statistics(torch.ones(4), 2.0 * torch.ones(4))
    state = scenes(2)[0].map(lambda tensor: tensor[:, 0])
    action = torch.cat([seeing.handles(state)[:, 1], torch.zeros(2, 2)], -1).detach()
    given: list[Tensor] = []
    seeing.dynamics.register_forward_pre_hook(lambda _, inputs: given.extend(inputs[-1]))
    seeing.step(state, action)
    assert_close(given[0][:, 0], torch.zeros(2, 2))
    assert_close(given[1], -seeing.handles(state)[:, 1:] / 2.0)


def test_clips_in_which_nothing_is_known_teach_nothing() -> None:
    learning = model(readout=[[0, 1]])
    states, actions = scenes(4)
    still = states.map(lambda tensor: tensor[:, :1].expand_as(tensor))
    losses = learning.latent_loss(still, actions, "readout", 0)
    assert_close(losses.total, torch.zeros(()))


def test_without_the_setting_there_are_no_handles() -> None:
    plain = model()
    assert "readout" not in plain.objectives
    with pytest.raises(ArmillaryError, match=r"model\.readout"):
        plain.handles(scenes(1)[0].map(lambda tensor: tensor[:, 0]))


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        ([[0, 4]], "readout must name numbers of the action, 0 to 3, got 4"),
        ([[0, 1], [2]], "two, of as many as those of points, got"),
        ([[0], [1], [2]], "two, of as many as those of points, got"),
    ],
)
def test_groups_that_fit_no_action_are_refused(readout: list[list[int]], message: str) -> None:
    with pytest.raises(ArmillaryError, match=message):
        model(readout=readout)
