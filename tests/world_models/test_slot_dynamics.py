"""slot_dynamics: the world-model contract, and what its structure promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from armillary.contracts.world_model import WorldModelContract
from armillary.errors import ArmillaryError
from armillary.world_models.blocks.initializer import FarthestPointInitializer
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.slot_dynamics import SlotDynamics, SlotState
from armillary.world_models.slots.dynamics import content_variance
from armillary.world_models.slots.state import are_present
from tests.world_models.kinds import ALL_OF_IT, SECOND_EDITION, STILL_CAMERA

SMALL = {"image_size": 32, "action_size": 2, "num_slots": 4, "content_size": 8}


FORMER = [0.05601809546351433, 0.7468635439872742, -0.6027306914329529, 2.797469139099121]


def small(**changes) -> SlotDynamics:
    torch.manual_seed(0)
    model = build_model("slot_dynamics", **{**SMALL, **changes})
    assert isinstance(model, SlotDynamics)
    return model


class TestSlotDynamics(WorldModelContract):
    def make(self):
        return small()


class TestDynamicsAsPredictor(WorldModelContract):
    def make(self):
        return small(predictor="dynamics", best_of=3, image_size=64)


class TestSecondEdition(WorldModelContract):
    def make(self):
        return small(**SECOND_EDITION, **ALL_OF_IT)

    @pytest.fixture
    def window(self, model: WorldModel) -> Window:
        """One of three discs moves, in each of three scenes."""
        there = [discs((x, 0.3), (0.7, 0.8), (0.3, 0.7)) for x in (0.2, 0.2, 0.7, 0.7)]
        frames = torch.stack(there, 1).repeat(3, 1, 1, 1, 1)
        return Window(frames, torch.rand(3, 3, 2), torch.zeros(3, 4, 0, 0))


class TestEnsemble(WorldModelContract):
    def make(self):
        return small(ensemble=3, best_of=2)


class TestStillCamera(TestSecondEdition):
    def make(self):
        return small(**SECOND_EDITION, **STILL_CAMERA)


class TestEnsembleOfTheSecondEdition(WorldModelContract):
    def make(self):
        return small(**SECOND_EDITION, ensemble=2)


def discs(*centres, size=32, radius=0.1):
    """(1, 3, size, size): discs of different colours at (x, y) on white."""
    grid = (torch.arange(size) + 0.5) / size
    x, y = torch.meshgrid(grid, grid, indexing="xy")
    frame = torch.ones(3, size, size)
    colors = [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.6, 0.0), (0.0, 0.0, 0.0)]
    for (cx, cy), color in zip(centres, colors, strict=False):
        inside = (x - cx).square() + (y - cy).square() < radius**2
        frame[:, inside] = torch.tensor(color).unsqueeze(1)
    return frame.unsqueeze(0)


def test_every_object_gets_a_seed_of_its_own():
    centres = [(0.2, 0.3), (0.7, 0.25), (0.5, 0.8), (0.45, 0.35)]
    seeds = FarthestPointInitializer(5)(discs(*centres))[0]
    nearest = torch.cdist(torch.tensor(centres), seeds).min(1)
    assert (nearest.values < 0.12).all()
    assert sorted(nearest.indices.tolist()) == [1, 2, 3, 4]


def test_dynamics_treats_objects_alike_in_any_order():
    model = small().eval()
    with torch.no_grad():
        model.dynamics.change.weight.normal_()
    state = SlotState(torch.randn(2, 4, 8), torch.rand(2, 4, 2), torch.randn(2, 4, 2))
    action, order = torch.randn(2, 2), [0, 3, 1, 2]
    with torch.no_grad():
        expected = model.step(state, action).map(lambda tensor: tensor[:, order])
        actual = model.step(state.map(lambda tensor: tensor[:, order]), action)
    for name, tensor in expected.tensors().items():
        assert torch.allclose(getattr(actual, name), tensor, atol=1e-5)


def test_the_background_is_carried_over():
    model = small().eval()
    with torch.no_grad():
        model.dynamics.change.weight.normal_()
        state = model.encode(discs((0.3, 0.3), (0.7, 0.7)).unsqueeze(1), torch.zeros(1, 0, 2))
        after = model.step(state, torch.ones(1, 2), torch.randn(1, *model.noise_shape))
    assert torch.equal(after.content[:, 0], state.content[:, 0])
    assert torch.equal(after.position[:, 0], state.position[:, 0])
    assert (after.position[:, 1:] - state.position[:, 1:]).abs().max() > 0


def test_a_decoded_object_moves_with_its_position():
    model = small().eval()
    content = torch.randn(1, 4, 8)
    left = torch.tensor([[[0.5, 0.5], [0.25, 0.5], [0.9, 0.9], [0.9, 0.1]]])
    right = left.clone()
    right[0, 1, 0] += 8 / 32
    with torch.no_grad():
        before = model.decode(SlotState(content, left, torch.zeros_like(left))).components[0, 1]
        after = model.decode(SlotState(content, right, torch.zeros_like(left))).components[0, 1]
    assert torch.allclose(before[:, :, 2:14], after[:, :, 10:22], atol=1e-5)


def test_stages_train_their_own_parameters():
    model = small()
    window = Window(torch.rand(2, 3, 3, 32, 32), torch.randn(2, 2, 2), torch.zeros(2, 3, 0, 0))
    model.loss(window, "dynamics", 0).total.backward()
    touched = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {"dynamics"}
    model.zero_grad()
    model.loss(window, "discovery", 0).total.backward()
    touched = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}
    assert "dynamics" not in touched
    assert {"encoder", "corrector", "decoder", "discovery_scale"} <= touched


def test_discovery_and_dynamics_variances_are_apart():
    model = small()
    window = Window(torch.rand(2, 3, 3, 32, 32), torch.randn(2, 2, 2), torch.zeros(2, 3, 0, 0))
    model.loss(window, "dynamics", 0).total.backward()
    assert model.discovery_scale.grad is None
    scale = model.dynamics.scale[0].weight.grad
    assert scale is not None
    assert scale.abs().sum() > 0


def test_the_best_of_many_rollouts_is_no_worse_than_the_only_one():
    model = small(best_of=1)
    torch.manual_seed(1)
    states = SlotState(torch.randn(8, 4, 4, 8), torch.rand(8, 4, 4, 2), torch.zeros(8, 4, 4, 2))
    actions = torch.randn(8, 3, 2)
    errors = {}
    with torch.no_grad():
        for count in (2, 32):
            model.best_of = count
            draws = [
                model.latent_loss(states, actions, "dynamics", 0).terms["rollout_error"]
                for _ in range(5)
            ]
            errors[count] = torch.stack(draws).mean()
    assert errors[32] < errors[2]


def test_it_discovers_and_reconstructs_within_seconds():
    """Two discs on white: 60 steps of discovery find them."""
    model = small(num_slots=3, content_size=16)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.trainable("discovery"), lr=2e-3)

    def batch(count):
        places = 0.2 + 0.6 * torch.rand(count, 2, 2, generator=generator)
        places[:, 1, 0] = (places[:, 0, 0] + 0.45) % 0.8 + 0.1
        frames = torch.stack([discs(*p.tolist()) for p in places])
        return places, Window(frames, torch.zeros(count, 0, 2), torch.zeros(count, 1, 0, 0))

    for _ in range(60):
        optimizer.zero_grad()
        model.loss(batch(16)[1], "discovery", 0).total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
    places, window = batch(16)
    with torch.no_grad():
        state = model.eval().encode(window.frames, window.actions)
        error = (model.decode(state).frames - window.frames[:, 0]).square().mean()
    blank = (window.frames.mean((0, 1), keepdim=True) - window.frames).square().mean()
    assert error < 0.5 * blank
    offsets = torch.cdist(places, state.position[:, 1:]).min(-1).values
    assert offsets.median() < 0.09


def test_the_first_editions_checkpoint_loads_and_imagines_what_it_did() -> None:
    """Numbers of the code before there was a second edition, on the bundled checkpoint."""
    model = load_model("pretrained/push_blocks").eval()
    assert "content_variance" not in model.state_dict()
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(4, 3, 3, 32, 32, generator=generator)
    actions = torch.randn(4, 2, 2, generator=generator)
    with torch.no_grad():
        state = model.encode(frames, actions)
        future = model.rollout(state, torch.randn(4, 6, 2, generator=generator))
        slots = model.slots(future.map(lambda tensor: tensor.flatten(0, 1)))
    told = [slots.mean().item(), slots.std().item(), slots[3, 2, 5].item(), slots[9, 4, 33].item()]
    assert told == pytest.approx(FORMER, rel=1e-4)


def test_every_frame_is_seen_by_itself_and_things_keep_their_slots() -> None:
    model = small(**SECOND_EDITION).eval()
    first, second = [(0.2, 0.3), (0.7, 0.25), (0.5, 0.8)], [(0.4, 0.3), (0.7, 0.5), (0.2, 0.8)]
    clip = torch.stack([discs(*first), discs(*second)], 1)
    still = torch.zeros(1, 2)
    with torch.no_grad():
        states = model.filter(clip, torch.zeros(1, 1, 2))
        alone = model.observe(None, still, clip[:, 1])
    after = states.map(lambda tensor: tensor[:, 1])
    assert torch.equal(after.position.sort(1).values, alone.position.sort(1).values)
    assert not after.motion.any()
    assert (after.position - states.position[:, 0])[:, 1:].norm(dim=-1).max() < 0.4
    moved = torch.cdist(torch.tensor(second), after.position[0, 1:]).argmin(1)
    before = torch.cdist(torch.tensor(first), states.position[0, 0, 1:]).argmin(1)
    assert moved.tolist() == before.tolist()


def test_what_nothing_distinguishes_is_absent_and_stays_away() -> None:
    model = small(**SECOND_EDITION, absent=0.3, num_slots=5).eval()
    with torch.no_grad():
        model.dynamics.change.bias.fill_(1.0)
        state = model.observe(None, torch.zeros(1, 2), discs((0.3, 0.4), (0.7, 0.5)))
        after = model.step(state, torch.ones(1, 2))
        present = are_present(state.position)[0].tolist()
        assert present == [True, True, True, False, False]
        assert torch.equal(after.position[:, 3:], state.position[:, 3:])
        assert not torch.equal(after.position[:, 1:3], state.position[:, 1:3])
        assert model.decode(after).masks[:, 3:].max() < 0.01
        elsewhere = replace(state, content=state.content.clone())
        elsewhere.content[:, 3:] += 5.0
        again = model.step(elsewhere, torch.ones(1, 2))
    assert torch.allclose(after.content[:, :3], again.content[:, :3]), "it is not heard"


def test_before_a_still_camera_slot_0_shows_what_the_data_show_most_often() -> None:
    model = small(**SECOND_EDITION, background="image", seed_patch=2).eval()
    assert model.surveyed > 0
    assert small(**SECOND_EDITION).surveyed == 0
    behind = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    frames = behind.repeat(5, 1, 1, 1)
    for frame, x in zip(frames, (2, 8, 14, 20, 26), strict=True):
        frame[:, 10:14, x : x + 4] = 1.0 - behind[:, 10:14, x : x + 4].round()
    model.survey(frames)
    assert torch.equal(model.state_dict()["background"], behind)
    with torch.no_grad():
        state = model.observe(None, torch.zeros(1, 2), frames[3:4])
        scene = model.decode(state)
    assert torch.equal(scene.components[0, 0], behind)
    place = torch.tensor([22 / 32, 12 / 32])
    assert (state.position[0, 1:] - place).norm(dim=-1).min() < 0.05


def test_what_is_hidden_stays_where_it_was_seen_last() -> None:
    model = small(**SECOND_EDITION, absent=0.3, permanence=50.0).eval()
    clip = torch.stack([discs((0.2, 0.3), (0.7, 0.5)), discs((0.2, 0.3))], 1)
    clip = torch.cat([clip, clip[:, :1]], 1)
    with torch.no_grad():
        states = model.filter(clip, torch.zeros(1, 2, 2))
    assert states.seen[0, :, 1:].sum(-1).tolist() == [2, 1, 2]
    assert are_present(states.position)[0, :, 1:].sum(-1).tolist() == [2, 2, 2]
    places = states.position[0, :, 1:3]
    assert torch.allclose(places[0], places[1], atol=0.05)
    assert torch.allclose(places[0], places[2], atol=1e-5)


def test_the_variance_is_measured_where_it_counts_and_kept() -> None:
    states = SlotState(torch.randn(4, 6, 4, 8), torch.rand(4, 6, 4, 2), torch.zeros(4, 6, 4, 2))
    first, second = small(), small(**SECOND_EDITION)
    for model in (first, second):
        model.measure(states)
    assert (first.content_variance == 0.5).all(), "of one unit each"
    expected = content_variance(states, second.discovery_std.detach())
    assert torch.equal(second.state_dict()["content_variance"], expected)
    lie = second.orientations(states.map(lambda tensor: tensor[:, 0]))
    assert torch.allclose(lie, states.content[:, 0] / (8 * expected).sqrt())


def test_orientation_is_a_stage_of_its_own() -> None:
    model = small(**SECOND_EDITION, orientation_weight=1.0)
    window = Window(torch.rand(4, 1, 3, 32, 32), torch.zeros(4, 0, 2), torch.zeros(4, 1, 0, 0))
    model.loss(window, "orientation", 0).total.backward()
    touched = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {"orientation"}
    trained = {id(p) for p in model.trainable("orientation")}
    assert trained == {id(p) for n, p in model.named_parameters() if n.startswith("orientation.")}
    assert not trained & {id(p) for name in ("joint", "dynamics") for p in model.trainable(name)}
    with pytest.raises(ArmillaryError, match="unknown objective 'orientation'"):
        small(**SECOND_EDITION).loss(window, "orientation", 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 40}, "multiple of 16, at least 32, got 40"),
        ({"image_size": 16}, "multiple of 16, at least 32, got 16"),
        ({"num_slots": 1}, "num_slots"),
        ({"predictor": "linear"}, "choose from copy, dynamics, rediscover"),
        ({"content_units": "kg"}, "choose from one, variance"),
        ({"image_size": 64, "tokens": 24}, "multiple of 24, at least 48, got 64"),
        ({"points": [[0, 2]]}, "numbers of the action, 0 to 1, got 2"),
        ({"ensemble": 0}, "ensemble must be from 1 to 64, got 0"),
    ],
)
def test_wrong_hyperparameters_are_explained(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
