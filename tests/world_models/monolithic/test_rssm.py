"""rssm: the world-model contract, its two kinds of latents, and that it learns what actions do."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from armillary.contracts.world_model import WorldModelContract
from armillary.world_models.model import Window
from armillary.world_models.monolithic.latents import CategoricalLatents, GaussianLatents
from armillary.world_models.monolithic.rssm import Rssm
from armillary.world_models.registry import build_model

SMALL = {
    "image_size": 8,
    "action_size": 2,
    "memory_size": 6,
    "latent_size": 3,
    "classes": 4,
    "hidden": 8,
    "conv_channels": 4,
}


def small(**changes) -> Rssm:
    torch.manual_seed(0)
    model = build_model("rssm", **{**SMALL, **changes})
    assert isinstance(model, Rssm)
    return model


class TestRssm(WorldModelContract):
    def make(self):
        return small()


class TestEnsembleOfRssm(WorldModelContract):
    def make(self):
        return small(ensemble=3)


class TestCategoricalRssm(WorldModelContract):
    def make(self):
        return small(latents="categorical", image_size=16)


class TestActionFreeRssm(WorldModelContract):
    def make(self):
        return small(action_size=0)


def test_gaussian_draws_have_the_mean_and_the_deviation_that_are_said():
    latents = GaussianLatents(1)
    raw = torch.tensor([[2.0, 1.0]])
    assert latents.draw(raw, None).item() == 2.0
    drawn = latents.draw(raw.expand(20_000, -1), torch.randn(20_000, 1))
    assert drawn.mean().item() == pytest.approx(2.0, abs=0.05)
    assert drawn.std().item() == pytest.approx(math.log1p(math.e) ** 0.5, abs=0.05)


def test_categorical_draws_are_one_hot_with_the_shares_that_are_said():
    torch.manual_seed(0)
    latents = CategoricalLatents(2, 3)
    shares = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    raw = shares.log().flatten().expand(20_000, -1)
    drawn = latents.draw(raw, torch.randn(20_000, 2, 3)).unflatten(-1, (2, 3))
    assert_close(drawn.sum(-1), torch.ones(20_000, 2))
    assert_close(drawn.mean(0), 0.99 * shares + 0.01 / 3, atol=0.02, rtol=0)
    likely = latents.draw(raw[:1], None).unflatten(-1, (2, 3)).argmax(-1)
    assert likely.tolist() == [[2, 2]]


@pytest.mark.parametrize("latents", [GaussianLatents(6), CategoricalLatents(2, 3)])
def test_divergences_are_nothing_from_themselves_and_above_it_elsewhere(latents):
    raw, other = torch.randn(5, latents.parameters), torch.randn(5, latents.parameters)
    assert_close(latents.divergence(raw, raw), torch.zeros(5), atol=1e-5, rtol=0)
    assert (latents.divergence(raw, other) > 0).all()


@pytest.mark.parametrize("latents", [GaussianLatents(6), CategoricalLatents(2, 3)])
def test_draws_have_a_gradient(latents):
    raw = torch.randn(5, latents.parameters, requires_grad=True)
    drawn = latents.draw(raw, torch.randn(5, *latents.noise_shape))
    (gradient,) = torch.autograd.grad((drawn * torch.rand(5, latents.size)).sum(), raw)
    assert gradient.abs().sum() > 0


def test_free_nats_cost_the_same_whatever_the_divergence():
    model, window = small(free_nats=1e6), moving(4)
    torch.manual_seed(0)
    losses = model.loss(window, "joint", 0)
    for gradient in torch.autograd.grad(losses.total, [*model.prior.parameters()]):
        assert not gradient.any()
    charged = losses.total.detach() - losses.terms["squared_error"] / (2 * 0.1**2)
    assert charged.item() == pytest.approx(1.1e6, rel=1e-3)


def moving(count, length=6):
    """A bright column that actions -1, 0 and 1 move to the left and the right."""
    actions = torch.randint(-1, 2, (count, length - 1, 1)).float()
    places = [torch.randint(0, 8, (count,))]
    for t in range(length - 1):
        places.append((places[-1] + actions[:, t, 0].long()).clamp(0, 7))
    columns = torch.nn.functional.one_hot(torch.stack(places, 1), 8).float()
    frames = columns[:, :, None, None].expand(-1, -1, 3, 8, 8).contiguous()
    actions = torch.cat([actions, torch.zeros_like(actions)], -1)
    return Window(frames, actions, torch.zeros(count, length, 0, 0))


def test_it_learns_what_actions_do():
    """Imagined frames come closer to the true ones than a copy of the last one that was seen."""
    model = small(
        memory_size=48, hidden=48, latent_size=8, conv_channels=8, pixel_std=0.3, kl_posterior=1.0
    )
    optimizer = torch.optim.Adam(model.trainable("joint"), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        model.loss(moving(32), "joint", 0).total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
    assert imagined_error(model) < 0.8


def imagined_error(model):
    """Of four imagined frames, as a share of the error of a copy of the last one that was seen."""
    clips = moving(64)
    with torch.no_grad():
        state = model.eval().encode(clips.frames[:, :2], clips.actions[:, :1])
        imagined = model.rollout(state, clips.actions[:, 1:]).flatten(2)
        frames = model.decode(imagined).frames.unflatten(0, (64, -1))
    error = (frames - clips.frames[:, 2:]).square().mean()
    return error / (clips.frames[:, 1:2] - clips.frames[:, 2:]).square().mean()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 40}, "4 times 2, 4, 8.* got 40"),
        ({"image_size": 4}, "got 4"),
        ({"latents": "gausian"}, "did you mean 'gaussian'"),
    ],
)
def test_wrong_hyperparameters_are_explained(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
