"""Parity of training: five steps of the optimiser, with clipping and GECO's moving averages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armillary.world_models.iterative_slots import IterativeSlotModel
from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.vrnn import Vrnn
from tests.parity.fixture import OUTPUT_TOLERANCE, Check, Fixture
from tests.parity.gradients import parameters
from tests.parity.published import build, recorded_actions
from tests.parity.replay import Replay


def check_trajectory(fixture: Fixture) -> list[Check]:
    """Every recorded scalar of every step, and the weights after the first and the last."""
    config = fixture.config
    model = build(fixture, torch.float32).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    checks: list[Check] = []
    steps = fixture.tensor("in/imgs").shape[0]
    for step in range(steps):
        losses = _losses(fixture, model, step)
        optimizer.zero_grad()
        losses.total.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config["clip"])
        optimizer.step()
        model.finish_step(losses.terms, step)
        ours = {
            "total_loss": losses.total,
            "nll": losses.terms["nll"],
            "kl": losses.terms["kl"],
            "grad_norm": norm,
            "C_ema": model.get_buffer("geco.average"),
            "beta": model.get_buffer("geco.beta"),
        }
        for name in fixture.group(f"step/{step}"):
            checks.append(fixture.compare(f"step/{step}/{name}", ours[name], OUTPUT_TOLERANCE))
        if step == 0:
            checks += _weights(fixture, model, "after1")
    return checks + _weights(fixture, model, "final")


def _losses(fixture: Fixture, model: WorldModel, step: int) -> Losses:
    frames = fixture.tensor("in/imgs")[step]
    log = [entry for entry in fixture.noise_log if entry["step"] == step]
    noise = Replay(fixture, log)
    actions = recorded_actions(fixture, frames.dtype)[step]
    before = actions[:, : frames.shape[1] - 1]
    if isinstance(model, Vrnn):
        rolled = [entry["t"] for entry in log if entry["fn"] == "rollout"]
        labels = frames.new_zeros(*frames.shape[:2], 0, 0)
        window = Window(frames, before, labels, actions[:, -1])
        losses, _ = model.follow(window, min(rolled, default=frames.shape[1]), step, noise)
    else:
        assert isinstance(model, IterativeSlotModel)
        schedule = fixture.config["net"]["time_inference_schedule"]
        losses = model.follow(frames, before, schedule, step, noise).losses
    noise.finish()
    return losses


def _weights(fixture: Fixture, model: WorldModel, prefix: str) -> list[Check]:
    """Softmax does not see what is added to every mask logit, so that bias is left out."""
    found = parameters(model)
    checks = []
    for name, theirs in fixture.group(prefix).items():
        skip: Tensor | None = None
        if name == "image_decoder.decode.8.bias":
            skip = torch.zeros_like(theirs, dtype=torch.bool)
            skip[-1] = True
        checks.append(fixture.compare(f"{prefix}/{name}", found[name], OUTPUT_TOLERANCE, skip))
    return checks
