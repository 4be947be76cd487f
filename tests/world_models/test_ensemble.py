"""Ensembles: members share all but their dynamics, learn by themselves, and one is as before."""

from __future__ import annotations

import pytest
import torch

from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.registry import build_model

MODELS = {
    "slot_dynamics": {"num_slots": 3, "content_size": 8},
    "patch_dynamics": {"grid": 4, "feature_size": 6, "width": 8, "heads": 2, "conv_channels": 4},
    "rssm": {"memory_size": 6, "latent_size": 3, "hidden": 8, "conv_channels": 4},
}
FORESEEING = {"slot_dynamics": "dynamics", "patch_dynamics": "predictor", "rssm": "prior"}


def built(name: str, **changes) -> WorldModel:
    torch.manual_seed(0)
    return build_model(name, image_size=32, action_size=2, **MODELS[name], **changes)


def clips() -> Window:
    generator = torch.Generator().manual_seed(1)
    frames = torch.rand(2, 4, 3, 32, 32, generator=generator)
    actions = torch.rand(2, 3, 2, generator=generator)
    return Window(frames, actions, torch.zeros(2, 4, 0, 0, dtype=torch.int64))


def dynamics_loss(model: WorldModel) -> Losses:
    return model.loss(clips(), "dynamics", 0)


@pytest.mark.parametrize("name", MODELS)
def test_the_first_member_is_the_model_without_an_ensemble(name: str) -> None:
    one, many = built(name), built(name, ensemble=3)
    weights = many.state_dict()
    assert not [key for key in one.state_dict() if key.startswith("siblings")]
    assert all(torch.equal(tensor, weights[key]) for key, tensor in one.state_dict().items())
    assert list(one.members) == [one]


@pytest.mark.parametrize("name", MODELS)
def test_members_start_differently_and_share_all_else(name: str) -> None:
    model = built(name, ensemble=3)
    first, *others = model.members
    assert first is model
    for other in others:
        pairs = zip(model.named_parameters(), other.named_parameters(), strict=False)
        own = {key for (key, one), (_, two) in pairs if one is not two}
        assert own
        assert all(key.startswith(FORESEEING[name]) for key in own)
        assert not torch.equal(
            torch.cat([p.flatten() for p in other.get_submodule(FORESEEING[name]).parameters()]),
            torch.cat([p.flatten() for p in model.get_submodule(FORESEEING[name]).parameters()]),
        )
    model.set_action_statistics(torch.full((2,), 0.3), torch.full((2,), 2.0))
    assert all(torch.equal(other.action_mean, model.action_mean) for other in model.members)


@pytest.mark.parametrize("name", ["slot_dynamics", "patch_dynamics"])
def test_members_learn_as_each_would_alone(name: str) -> None:
    model = built(name, ensemble=3)
    for member in model.members[1:]:
        own = list(member.get_submodule(FORESEEING[name]).parameters())
        alone = torch.autograd.grad(dynamics_loss(member).total, own)
        together = torch.autograd.grad(dynamics_loss(model).total, own)
        assert any(gradient.abs().max() > 0 for gradient in alone)
        assert all(torch.allclose(*pair) for pair in zip(alone, together, strict=True))


def test_totals_are_summed_and_terms_averaged() -> None:
    each = [Losses(torch.tensor(x), {"error": torch.tensor(2 * x)}) for x in (1.0, 3.0)]
    losses = Losses.of_members(each)
    assert (float(losses.total), float(losses.terms["error"])) == (4.0, 4.0)
    assert Losses.of_members(each[:1]) is each[0]


def test_a_checkpoint_written_before_has_one_member() -> None:
    model = load_model("pretrained/push_blocks")
    assert list(model.members) == [model]
