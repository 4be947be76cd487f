"""Updates of every model: recorded as they run, waited for by nothing, undone if not finite."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from armillary.world_models.model import Losses, Window
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.engine import Engine
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import FrameBatch, StateBatch
from armillary.world_models.training.steps.update import NotFiniteError, Update
from tests.waiting import without_waiting
from tests.world_models import toy
from tests.world_models.kinds import MODELS, small
from tests.world_models.replay.rerun import RerunSteps

CASES = [(name, small(name).objectives[0]) for name in MODELS]
CASES += [("slot_dynamics", "dynamics"), ("sdvae", "BMS"), ("patch_dynamics", "dynamics")]
CASES += [("second_edition", name) for name in ("readout", "orientation", "dynamics")]
CASES += [("still_camera", name) for name in ("readout", "dynamics")]
OF_GECO = {"sdvae", "sdvae_davos", "op3", "ssm", "vrnn", "vrnn_star"}


def windows(model, count=2, length=3):
    generator = torch.Generator().manual_seed(0)
    size = (count, length, 3, model.image_size, model.image_size)
    while True:
        yield FrameBatch(
            Window(
                torch.rand(size, generator=generator),
                torch.rand((count, length - 1, model.action_size), generator=generator),
                torch.zeros((count, length, 0, 0), dtype=torch.long),
                torch.rand((count, model.action_size), generator=generator),
            )
        )


def made(name, objective, capture=None, **changes):
    torch.manual_seed(0)
    settings = {key: changes.pop(key) for key in ["geco_warm_start"] if key in changes}
    model = small(name, **settings).train()
    stage = Stage(objective, 1.0, batch_size=2, length=3, learning_rate=1e-3)
    config = replace(TrainerConfig((stage,), max_steps=9, device="cpu"), **changes)
    return model, Update(model, stage, config, Engine("cpu"), capture)


def trained(model, update, batches, steps=5):
    torch.manual_seed(1)
    rows = [update.apply(next(batches), step, 2.0 ** -(10 + step)) for step in range(steps)]
    return [update.told(row.tolist()) for row in rows]


class Watched(RerunSteps):
    """Replays fail where a device would have to wait."""

    def record(self, function):
        replay = super().record(function)

        def watching():
            with without_waiting():
                return replay()

        return watching


@pytest.mark.parametrize(("name", "objective"), CASES)
def test_a_recorded_step_does_what_the_step_does_and_waits_for_nothing(name, objective):
    warm = {"geco_warm_start": 4} if name in OF_GECO else {}
    model, update = made(name, objective, **warm)
    told = trained(model, update, windows(model))
    capture = Watched()
    replayed, again = made(name, objective, capture, **warm)
    assert trained(replayed, again, windows(replayed)) == told
    assert (capture.run_as_is, capture.recorded, capture.replayed) == (2, 1, 3)
    for key, value in model.state_dict().items():
        assert torch.equal(replayed.state_dict()[key], value), key


def test_encoded_states_are_recorded_too():
    def states(model):
        for batch in windows(model):
            with torch.no_grad():
                found = model.filter(batch.window.frames, batch.window.actions)
            yield StateBatch(found, batch.window.actions)

    model, update = made("slot_dynamics", "dynamics")
    told = trained(model, update, states(model))
    replayed, again = made("slot_dynamics", "dynamics", RerunSteps())
    assert trained(replayed, again, states(replayed)) == told


class Spoiled(toy.ToyModel):
    """Its loss, or one gradient, is not finite where the first pixel is above 2; counts steps."""

    def __init__(self, what):
        super().__init__()
        self.what = what
        self.register_buffer("done", torch.tensor(0))

    def loss(self, window, objective, step):
        losses = super().loss(window, objective, step)
        wrong = window.frames[0, 0, 0, 0, 0] > 2
        if self.what == "loss":
            worse = losses.total * torch.where(wrong, math.nan, 1.0)
            return Losses(worse, {**losses.terms, "worse": worse.detach()})
        root = (self.dynamics.bias * torch.where(wrong, 0.0, 1.0)).abs().sqrt().sum()
        return Losses(losses.total + root, losses.terms)

    def finish_step(self, terms, step):
        self.done.add_(1)


@pytest.mark.parametrize("capture", [None, RerunSteps()])
@pytest.mark.parametrize(
    ("what", "message"),
    [("loss", "the loss 'worse' is nan"), ("gradient", "gradient of 'dynamics.bias' is not")],
)
def test_after_a_step_that_is_not_finite_nothing_changes(what, message, capture):
    torch.manual_seed(0)
    model = Spoiled(what).train()
    torch.nn.init.constant_(model.dynamics.bias, 0.1)
    stage = Stage("joint", 1.0, batch_size=2, length=3, learning_rate=1e-2)
    update = Update(model, stage, TrainerConfig((stage,), max_steps=9), Engine("cpu"), capture)
    batches, rows, before = windows(model), [], {}
    for step in range(7):
        batch = next(batches)
        if step == 4:
            batch.window.frames[0, 0, 0, 0, 0] = 3.0
            before = {key: value.clone() for key, value in model.state_dict().items()}
            state = update.state_dict()["optimizer"]["state"]
            moments = [entry["exp_avg"].clone() for entry in state.values()]
            counts = [entry["step"].clone() for entry in state.values()]
        rows.append(update.apply(batch, step, 1e-2).tolist())
    for row in rows[:4]:
        update.told(row)
    with pytest.raises(NotFiniteError, match=message):
        update.told(rows[4])
    for key, value in before.items():
        assert torch.equal(model.state_dict()[key], value), key
    after = update.state_dict()["optimizer"]["state"].values()
    assert all(torch.equal(a["exp_avg"], b) for a, b in zip(after, moments, strict=True))
    assert all(torch.equal(a["step"], b) for a, b in zip(after, counts, strict=True))
    assert before["done"].item() == 4
    update.apply(next(batches), 5, 1e-2)
    assert not torch.equal(model.dynamics.weight, before["dynamics.weight"])


def test_an_optimiser_that_was_saved_before_goes_on():
    model, update = made("slot_dynamics", "joint")
    old = torch.optim.Adam(model.trainable("joint"), lr=1e-3)
    sum(p.square().sum() for p in model.trainable("joint")).backward()
    old.step()
    update.load_state_dict({"optimizer": old.state_dict(), "scaler": {}})
    before = {key: value.clone() for key, value in model.state_dict().items()}
    told = trained(model, update, windows(model), steps=1)
    assert math.isfinite(told[0][1])
    assert any(not torch.equal(model.state_dict()[k], v) for k, v in before.items())
    state = update.state_dict()["optimizer"]
    assert state["param_groups"][0]["fused"]
    assert next(iter(state["state"].values()))["step"].item() == 2.0
