"""The published models: the world-model contract, and what sets each of them apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from armillary.contracts.world_model import WorldModelContract
from armillary.world_models.blocks.noise import GlobalNoise
from armillary.world_models.iterative_slots import IterativeSlotModel, SlotBelief
from armillary.world_models.model import Window
from armillary.world_models.registry import build_model
from armillary.world_models.vrnn import Vrnn

SLOTS: dict[str, Any] = {
    "image_size": 16,
    "action_size": 2,
    "num_slots": 3,
    "latent_size": 4,
    "conv_channels": 4,
    "lstm_hidden": 8,
    "rollouts": 3,
    "geco_target": -500.0,
    "geco_warm_start": 10,
}
FRAMEWISE: dict[str, Any] = {
    "image_size": 16,
    "action_size": 2,
    "latent_size": 4,
    "hidden": 16,
    "conv_channels": 4,
    "geco_target": -100.0,
    "geco_warm_start": 10,
}
SLOT_MODELS = ("sdvae", "sdvae_davos", "op3", "ssm")


def slot_model(name: str, **changes: Any) -> IterativeSlotModel:
    """A small model whose decoder and dynamics do something from the start."""
    torch.manual_seed(0)
    model = build_model(name, **{**SLOTS, **changes})
    assert isinstance(model, IterativeSlotModel)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, 1.0)
    return model


def framewise(name: str, **changes: Any) -> Vrnn:
    torch.manual_seed(0)
    model = build_model(name, **{**FRAMEWISE, **changes})
    assert isinstance(model, Vrnn)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, 1.0)
    return model


def clips(count: int = 2, length: int = 4, actions: int = 2) -> Window:
    generator = torch.Generator().manual_seed(1)
    return Window(
        torch.rand(count, length, 3, 16, 16, generator=generator),
        torch.randn(count, length - 1, actions, generator=generator),
        torch.zeros(count, length, 0, 0),
    )


class TestSdvae(WorldModelContract):
    def make(self):
        return slot_model("sdvae")


class TestSdvaeDavos(WorldModelContract):
    def make(self):
        return slot_model("sdvae_davos")


class TestOp3(WorldModelContract):
    def make(self):
        return slot_model("op3")


class TestSsm(WorldModelContract):
    def make(self):
        return slot_model("ssm")


class TestActionFree(WorldModelContract):
    def make(self):
        return slot_model("sdvae", action_size=0)


class TestVrnn(WorldModelContract):
    def make(self):
        return framewise("vrnn")


class TestVrnnStar(WorldModelContract):
    def make(self):
        return framewise("vrnn_star")


@pytest.mark.parametrize("name", SLOT_MODELS)
@pytest.mark.parametrize("objective", ["D", "U", "BMS", "I", "IIBMSD"])
def test_every_schedule_trains_what_it_uses(name: str, objective: str) -> None:
    model = slot_model(name)
    losses = model.loss(clips(), objective, step=0)
    losses.total.backward()
    assert bool(torch.isfinite(losses.total))
    unused = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    # Without frames after the context nothing needs the dynamics' variance, and OP3's is a prior.
    without = {"dynamics.scale.weight", "dynamics.scale.bias"}
    assert unused <= (without if objective == "I" and name != "op3" else set())


@pytest.mark.parametrize("name", SLOT_MODELS)
def test_dynamics_are_permutation_equivariant(name: str) -> None:
    model = slot_model(name).eval()
    latents, memory = torch.randn(2, 3, 4), torch.randn(2, 3, model.dynamics.memory_size)
    action, order = torch.randn(2, 2), [2, 0, 1]
    with torch.no_grad():
        moved = model.step(SlotBelief(latents, memory), action)
        permuted = model.step(SlotBelief(latents[:, order], memory[:, order]), action)
    assert_close(permuted.latents, moved.latents[:, order])
    assert_close(permuted.memory, moved.memory[:, order])
    ordered = slot_model(name, slot_ordered=True).eval()
    with torch.no_grad():
        moved = ordered.step(SlotBelief(latents, memory), action)
        permuted = ordered.step(SlotBelief(latents[:, order], memory[:, order]), action)
    assert not torch.allclose(permuted.latents, moved.latents[:, order], atol=1e-4)


def test_memory_is_what_sets_the_models_apart() -> None:
    """One step from the same slots with another memory."""
    latents, action = torch.randn(1, 3, 4), torch.randn(1, 2)
    sizes = {}
    for name in ("sdvae", "op3", "ssm"):
        model = slot_model(name).eval()
        size = model.dynamics.memory_size
        with torch.no_grad():
            one = model.step(SlotBelief(latents, torch.zeros(1, 3, size)), action)
            other = model.step(SlotBelief(latents, torch.ones(1, 3, size)), action)
        sizes[name] = size
        assert torch.equal(one.latents, other.latents) == (size == 0)
    assert sizes == {"sdvae": 8, "op3": 4, "ssm": 0}


def test_carried_memory_is_the_gru_over_the_whole_history() -> None:
    model = slot_model("sdvae").eval()
    history = torch.randn(5, 1, 3, 4)
    action = torch.randn(1, 2)
    gru = torch.nn.GRU(8, 8)
    cell = model.dynamics.gru
    gru.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    with torch.no_grad():
        memory = torch.zeros(1, 3, 8)
        for latents in history:
            _, _, memory = model.predict(SlotBelief(latents, memory), action)
        embedded = torch.nn.functional.elu(model.dynamics.embed(history)).squeeze(1)
        whole = gru(embedded)[0][-1]
    assert_close(memory[0], whole)


def test_a_belief_does_not_depend_on_who_shares_the_batch_or_its_order() -> None:
    model = slot_model("sdvae").eval()
    window = clips(count=3, length=2)
    with torch.no_grad():
        together = model.encode(window.frames, window.actions)
        reverse = model.encode(window.frames.flip(0), window.actions.flip(0))
        alone = model.encode(window.frames[1:2], window.actions[1:2])
    assert_close(together.latents, reverse.latents.flip(0))
    assert_close(together.latents[1:2], alone.latents)
    assert not torch.allclose(together.latents[0], together.latents[1], atol=1e-3)


@pytest.mark.parametrize("name", SLOT_MODELS)
def test_beliefs_tell_slots_apart_the_same_way_each_time(name: str) -> None:
    """Slots start alike; only noise can set them on different objects."""
    model = slot_model(name).eval()
    window = clips(count=2, length=2)
    with torch.no_grad():
        belief = model.encode(window.frames, window.actions).latents
        again = model.encode(window.frames, window.actions).latents
    assert torch.equal(belief, again)
    distances = torch.cdist(belief, belief)[:, ~torch.eye(3, dtype=torch.bool)]
    assert float(distances.min()) > 0.05 * float(belief.std())


def test_a_first_posterior_starts_at_the_scale_it_is_given() -> None:
    assert slot_model("sdvae").initial.tolist() == [0.0] * 4 + [1.0] * 4
    assert slot_model("sdvae", initial_scale=-3.0).initial.tolist() == [0.0] * 4 + [-3.0] * 4


def test_the_best_of_many_is_no_worse_than_one() -> None:
    model = slot_model("sdvae_davos", rollouts=16)
    window = clips(count=4)
    torch.manual_seed(3)
    many = model.loss(window, "U", step=0).total.item()
    alone = slot_model("sdvae_davos", rollouts=1)
    torch.manual_seed(3)
    one = alone.loss(window, "U", step=0).total.item()
    assert many < one


def test_the_gradient_of_the_best_of_many_is_that_of_its_rollout() -> None:
    """Rolling out S with a graph and choosing afterwards gives the same gradient."""
    model = slot_model("sdvae_davos").double()
    window = clips(count=1, length=4)
    frames, actions = window.frames.double(), window.actions.double()

    class Recorded(GlobalNoise):
        def __init__(self) -> None:
            self.latents: list[torch.Tensor] = []
            self.actions: list[torch.Tensor] = []

        def latent(self, shape, like):
            self.latents.append(super().latent(shape, like))
            return self.latents[-1]

        def action(self, shape, like):
            self.actions.append(super().action(shape, like))
            return self.actions[-1]

    noise = Recorded()
    passed = model.follow(frames, actions, ["I", "I", "U", "U"], 0, noise)
    passed.losses.total.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    of_rollouts = [index for index, n in enumerate(noise.latents) if n.ndim == 4]
    totals = []
    for chosen in range(model.rollouts):

        class One(GlobalNoise):
            """The same draws, of one rollout only."""

            def __init__(self, chosen: int) -> None:
                self.chosen, self.next_latent, self.next_action = chosen, 0, 0

            def latent(self, shape, like):
                drawn = noise.latents[self.next_latent]
                rolled = self.next_latent in of_rollouts
                self.next_latent += 1
                return drawn[:, self.chosen : self.chosen + 1] if rolled else drawn

            def action(self, shape, like):
                drawn = noise.actions[self.next_action]
                self.next_action += 1
                return drawn[:, self.chosen : self.chosen + 1] if drawn.shape[1] > 1 else drawn

        model.zero_grad()
        model.rollouts, kept = 1, model.rollouts
        losses = model.follow(frames, actions, ["I", "I", "U", "U"], 0, One(chosen)).losses
        model.rollouts = kept
        losses.total.backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        totals.append((losses.total.item(), gradients))
    best = min(totals, key=lambda pair: pair[0])
    assert best[0] == pytest.approx(passed.losses.total.item(), rel=1e-10)
    for name, gradient in best[1].items():
        assert_close(gradient, expected[name])


@pytest.mark.parametrize("name", ["sdvae", "vrnn"])
def test_noise_on_actions_differs_between_rollouts(name: str) -> None:
    model = (slot_model if name == "sdvae" else framewise)(name, action_noise=2.0).eval()
    window = clips(count=1, length=2)
    with torch.no_grad():
        state = model.encode(window.frames, window.actions).repeat(2)
        noise = torch.zeros(2, *model.noise_shape)
        noise[1, :2] = 1.0  # another action, the same latents
        moved = model.step(state, window.actions[:, 0].repeat(2, 1), noise)
    slots = model.slots(moved)
    assert not torch.allclose(slots[0], slots[1], atol=1e-4)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("X", "symbols I, D, BMS, U"),
        ("IIUD", "after U"),
        ("IIDDDD", "at least 6 frames"),
    ],
)
def test_a_wrong_schedule_is_explained(objective: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slot_model("sdvae").loss(clips(length=4), objective, 0)


def test_geco_follows_the_published_updates() -> None:
    model = slot_model("sdvae", geco_warm_start=1, geco_target=-10.0, geco_step_size=0.5)
    geco = model.geco
    model.finish_step({"frame_nll": torch.tensor(5.0)}, 0)
    assert float(geco.average) == 0.0
    model.finish_step({"frame_nll": torch.tensor(5.0)}, 1)
    assert float(geco.average) == -15.0
    assert float(geco.beta) == pytest.approx(0.55)
    model.finish_step({"frame_nll": torch.tensor(7.0)}, 2)
    average = 0.99 * -15.0 + 0.01 * -17.0
    assert float(geco.average) == pytest.approx(average)
    assert float(geco.beta) == pytest.approx(0.55 - 0.5 * average)
    nll = torch.tensor(3.0, requires_grad=True)
    loss = geco.loss(nll, 1)
    loss.backward()
    weight = torch.nn.functional.softplus(geco.beta)
    assert nll.grad is not None
    assert_close(nll.grad, weight)
    assert_close(loss.detach(), -weight * geco.average)


def test_the_vrnn_can_be_told_the_action_before_the_window() -> None:
    model = framewise("vrnn").eval()
    window = clips(count=1)
    torch.manual_seed(0)
    without = model.loss(window, "teacher_forced", 0).total
    zeros = Window(window.frames, window.actions, window.labels, torch.zeros(1, 2))
    torch.manual_seed(0)
    assert_close(model.loss(zeros, "teacher_forced", 0).total, without)
    told = Window(window.frames, window.actions, window.labels, torch.full((1, 2), 3.0))
    torch.manual_seed(0)
    assert float(model.loss(told, "teacher_forced", 0).total) != float(without)


def test_vrnn_star_learns_from_its_own_frames() -> None:
    """After the context no frame is encoded, so the clip's end matters to the likelihood only."""
    model = framewise("vrnn_star").eval()
    window = clips(count=1, length=4)
    torch.manual_seed(0)
    losses, states = model.follow(window, 2, 0, GlobalNoise())
    changed = window.frames.clone()
    changed[:, 2:] = 0.0
    torch.manual_seed(0)
    again = Window(changed, window.actions, window.labels)
    other, same = model.follow(again, 2, 0, GlobalNoise())
    assert_close(states[-1].frame, same[-1].frame)
    assert_close(losses.terms["kl"], other.terms["kl"])
    assert float(losses.total) != float(other.total)


def test_a_belief_weighs_the_likelihood_as_training_last_did() -> None:
    model = slot_model("sdvae", geco_warm_start=2).eval()
    window = clips(count=1, length=2)

    def belief() -> torch.Tensor:
        with torch.no_grad():
            return model.encode(window.frames, window.actions).latents

    fresh = belief()
    model.geco.beta.fill_(4.0)
    assert torch.equal(belief(), fresh), "during the warm-up the weight is 1"
    model.finish_step({"frame_nll": torch.tensor(0.0)}, 1)
    assert not torch.allclose(belief(), fresh, atol=1e-5)
