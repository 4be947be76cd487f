"""Parity of the VRNN: outputs, gradients, BatchNorm's buffers and the float64 run of one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from armillary.world_models.model import Losses, Window
from armillary.world_models.vrnn import RecurrentBelief, Vrnn
from tests.parity.fixture import GRADIENT_TOLERANCE, OUTPUT_TOLERANCE, Check, Fixture
from tests.parity.gradients import float64_gradients, gradients, parameters
from tests.parity.published import build, recorded_actions
from tests.parity.replay import Replay

FLOAT64_TOLERANCE = 1e-7
ABSOLUTE = 2e-3
"""For gradients that are zero in exact arithmetic, because a BatchNorm follows the bias."""


def check_vrnn(fixture: Fixture) -> list[Check]:
    """Every comparison of one fixture; ``out/masks`` are no masks and are left out."""
    training = fixture.config["mode"] == "train"
    model, losses, states = _run(fixture, torch.float32)
    outputs = _outputs(fixture, losses, states)
    checks = [
        fixture.compare(f"out/{name}", outputs[name], OUTPUT_TOLERANCE)
        for name in fixture.group("out")
        if not name.startswith("masks/")
    ]
    if not training:
        return checks
    losses.total.backward()
    found, buffers = gradients(model), parameters(model)
    for name in fixture.group("grad"):
        if _vanishes(name):
            error = float((found[name] - fixture.tensor(f"grad/{name}")).abs().max())
            checks.append(Check(f"grad/{name}", error, ABSOLUTE))
        else:
            checks.append(fixture.compare(f"grad/{name}", found[name], GRADIENT_TOLERANCE))
    for name in fixture.group("buffer_after"):
        checks.append(fixture.compare(f"buffer_after/{name}", buffers[name], OUTPUT_TOLERANCE))
    model, losses, states = _run(fixture, torch.float64)
    outputs = _outputs(fixture, losses, states)
    for name in ("total_loss", "nll", "kl"):
        if f"out/{name}" in fixture.float64:
            value = float(outputs[name])
            checks.append(fixture.compare_float64(f"out/{name}", value, FLOAT64_TOLERANCE))
    losses.total.backward()
    return checks + float64_gradients(fixture, gradients(model), FLOAT64_TOLERANCE)


def _run(fixture: Fixture, dtype: torch.dtype) -> tuple[Vrnn, Losses, Sequence[RecurrentBelief]]:
    """The recorded pass; the frames that are rolled out carry all S rollouts."""
    model = build(fixture, dtype)
    assert isinstance(model, Vrnn)
    config = fixture.config
    training = config["mode"] == "train"
    model.train(training)
    frames = fixture.tensor("in/imgs", dtype)
    rolled = [entry["t"] for entry in fixture.noise_log if entry["fn"] == "rollout"]
    forced = min(rolled, default=frames.shape[1])
    samples = 1 if training else config["net"]["stochastic_samples"]
    window = _window(fixture, frames)
    noise = Replay(fixture, fixture.noise_log)
    with torch.set_grad_enabled(training):
        if training:
            losses, states = model.follow(window, forced, config["global_step"], noise)
        else:
            shown = Window(
                frames[:, :forced], window.actions[:, : forced - 1], window.labels, window.previous
            )
            losses, seen = model.follow(shown, forced, config["global_step"], noise)
            states = list(seen)
            state = states[-1].repeat(samples)
            for t in range(forced, frames.shape[1]):
                action = window.actions[:, t - 1].repeat_interleave(samples, 0)
                if model.action_size and model.action_noise:
                    action = action + noise.action(tuple(action.shape), action)
                latent = noise.latent((len(action), model.latent_size), action)
                no_action = action.new_zeros(len(action), model.action_size)
                state = model.step(state, action, torch.cat([no_action, latent], 1))
                states.append(state)
    noise.finish()
    return model, losses, states


def _window(fixture: Fixture, frames: Tensor) -> Window:
    """The clip; the authors' code takes the last action for the one before the first frame."""
    labels = frames.new_zeros(len(frames), frames.shape[1], 0, 0)
    actions = recorded_actions(fixture, frames.dtype)
    return Window(frames, actions[:, : frames.shape[1] - 1], labels, actions[:, -1])


def _outputs(
    fixture: Fixture, losses: Losses, states: Sequence[RecurrentBelief]
) -> dict[str, Tensor]:
    """What we computed, under the authors' names and in their shapes."""
    config = fixture.config
    outputs = {
        "total_loss": losses.total.detach(),
        "nll": losses.terms["nll"],
        "kl": losses.terms["kl"],
        "inference_steps": torch.zeros(1),
    }
    count = fixture.tensor("in/imgs").shape[0]
    for t, state in enumerate(states):
        frame = state.frame.detach()
        if config["mode"] != "train":
            samples = config["net"]["stochastic_samples"]
            frame = frame if len(frame) > count else frame.repeat_interleave(samples, 0)
            frame = frame.unflatten(0, (count, samples))
        outputs[f"x_means/{t}"] = frame
    return outputs


def _vanishes(name: str) -> bool:
    return name.startswith("phi_x.") and name.endswith((".h.bias", ".g.bias"))
