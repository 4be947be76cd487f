"""patch_dynamics: the world-model contract, causality, what each stage trains, that it learns."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from armillary.contracts.world_model import WorldModelContract
from armillary.world_models.model import Window
from armillary.world_models.monolithic import dinov2
from armillary.world_models.monolithic.patch_dynamics import PatchDynamics
from armillary.world_models.registry import build_model
from tests.world_models.monolithic.test_dinov2 import weights
from tests.world_models.monolithic.test_rssm import imagined_error, moving

SMALL = {
    "image_size": 8,
    "action_size": 2,
    "grid": 2,
    "feature_size": 6,
    "width": 8,
    "heads": 2,
    "conv_channels": 4,
}


def small(**changes) -> PatchDynamics:
    torch.manual_seed(0)
    model = build_model("patch_dynamics", **{**SMALL, **changes})
    assert isinstance(model, PatchDynamics)
    torch.nn.init.normal_(model.predictor.change.weight, std=0.3)
    return model


class Contract(WorldModelContract):
    stochastic = False


class TestPatchDynamics(Contract):
    def make(self):
        return small()


class TestEnsembleOfPatchDynamics(Contract):
    def make(self):
        return small(ensemble=3)


class TestPatchDynamicsOfOneFrame(Contract):
    def make(self):
        return small(context_length=1, image_size=16, grid=4)


class TestPatchDynamicsOfManyFrames(Contract):
    clip_length = 6

    def make(self):
        return small(context_length=3, action_size=1)


class TestFrozenFeatures(Contract):
    @pytest.fixture(autouse=True)
    def _tiny(self, monkeypatch, tmp_path):
        monkeypatch.setitem(dinov2.SIZES, "tiny", (12, 2, 2))
        self.path = tmp_path / "tiny.pth"
        torch.save(weights("tiny"), self.path)

    def make(self):
        return small(features="tiny", weights=str(self.path))


def window(length=5, **changes):
    model = small(**changes)
    frames = torch.rand(2, length, 3, 8, 8)
    return model, Window(frames, torch.randn(2, length - 1, 2), torch.zeros(2, length, 0, 0))


def touched(model):
    return {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}


def test_stages_train_their_own_parameters():
    parts = {"features": {"encoder", "decoder"}, "dynamics": {"predictor"}}
    for objective, wanted in {**parts, "joint": set.union(*parts.values())}.items():
        model, clips = window()
        model.loss(clips, objective, 0).total.backward()
        assert touched(model) == wanted


def test_the_loss_of_encoded_states_is_that_of_frames():
    model, clips = window(context_length=3)
    states = model.filter(clips.frames, clips.actions)
    encoded = model.latent_loss(states, clips.actions, "dynamics", 0).total
    assert_close(encoded, model.loss(clips, "dynamics", 0).total)
    with pytest.raises(ValueError, match="encode_once=false"):
        model.latent_loss(states, clips.actions, "joint", 0)
    with pytest.raises(ValueError, match="at least 2 frames"):
        model.loss(clips.start(1), "dynamics", 0)


def test_the_loss_is_that_of_steps():
    """After each frame of the context as after a belief of as many frames, then open loop."""
    model, clips = window(context_length=2)
    states = model.filter(clips.frames, clips.actions)
    one, two = (states.map(lambda tensor, t=t: tensor[:, t]) for t in range(2))
    first = model.step(one, clips.actions[:, 0])
    rest = model.rollout(two, clips.actions[:, 1:])
    foreseen = torch.cat([first.patches[:, None, -1], rest.patches[:, :, -1]], 1)
    error = (foreseen - states.patches[:, 1:, -1]).square().mean()
    assert_close(model.loss(clips, "dynamics", 0).total, error)


def test_what_is_foreseen_after_a_frame_does_not_look_ahead():
    model, clips = window(context_length=4)
    patches = model.encoder(clips.frames.flatten(0, 1)).unflatten(0, (2, 5))[:, :4]
    seen = torch.ones(2, 4)
    other = patches.clone()
    other[:, 2:] += 1.0
    actions = clips.actions.clone()
    actions[:, 2:] += 1.0
    before = model.predictor(patches, clips.actions, seen, newest=False)
    after = model.predictor(other, actions, seen, newest=False)
    assert_close(before[:, :2], after[:, :2])
    assert (before[:, 2:] - after[:, 2:]).abs().max() > 0.1
    newest = model.predictor(patches, clips.actions, seen, newest=True)
    assert_close(newest, before[:, -1:])


def test_nothing_is_read_off_frames_that_there_were_not():
    model, clips = window(context_length=3)
    state = model.observe(None, clips.actions[:, 0], clips.frames[:, 0])
    assert state.seen.tolist() == [[0, 0, 1]] * 2
    changed = state.map(torch.clone)
    changed.patches[:, :2] = 5.0
    first, second = (model.step(s, clips.actions[:, 0]) for s in (state, changed))
    assert_close(first.patches[:, -1], second.patches[:, -1])


def test_features_cannot_shrink():
    model, clips = window()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter *= 0.1
        patches = model.encoder(clips.frames[:, 0])
    assert_close(patches.mean(-1), torch.zeros(2, 4), atol=1e-4, rtol=0)
    assert patches.var(-1).min() > 0.1


def test_it_learns_what_actions_do_without_collapsing():
    model = small(feature_size=16, width=32, conv_channels=8)
    optimizer = torch.optim.Adam(model.trainable("joint"), lr=3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        model.loss(moving(32, 3), "joint", 0).total.backward()
        optimizer.step()
    assert imagined_error(model) < 0.3
    with torch.no_grad():
        patches = model.encoder(moving(64).frames[:, 0])
    assert patches.var(0).mean() > 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 12}, "2 times 2, 4, 8.* got 12"),
        ({"features": "dinov2_vits16"}, "did you mean 'dinov2_vits14'"),
        ({"heads": 3}, "heads must divide width = 8, got 3"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"weights": "some.pth"}, "weights are for features=dinov2_vits14"),
    ],
)
def test_wrong_hyperparameters_are_explained(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
