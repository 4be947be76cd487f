"""Parity of SDVAE, OP3 and SSM: outputs, gradients and the float64 run of one pass."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.world_models.iterative_slots import Frame, IterativeSlotModel, Pass
from tests.parity.fixture import GRADIENT_TOLERANCE, OUTPUT_TOLERANCE, Check, Fixture
from tests.parity.gradients import float64_gradients, gradients
from tests.parity.published import build, recorded_actions
from tests.parity.replay import Replay

FLOAT64_TOLERANCE = 1e-9


def check_slot_model(fixture: Fixture) -> list[Check]:
    """Every comparison of one fixture."""
    checks = []
    model, passed, imagined = _run(fixture, torch.float32)
    outputs = _outputs(fixture, model, passed, imagined)
    for name in fixture.group("out"):
        checks.append(fixture.compare(f"out/{name}", outputs[name], OUTPUT_TOLERANCE))
    training = fixture.config["mode"] == "train"
    if training:
        passed.losses.total.backward()
        found = gradients(model)
        for name in fixture.group("grad"):
            checks.append(fixture.compare(f"grad/{name}", found[name], GRADIENT_TOLERANCE))
    model, passed, imagined = _run(fixture, torch.float64)
    outputs = _outputs(fixture, model, passed, imagined)
    for name in ("total_loss", "nll", "kl"):
        if f"out/{name}" in fixture.float64:
            value = float(outputs[name])
            checks.append(fixture.compare_float64(f"out/{name}", value, FLOAT64_TOLERANCE))
    if training:
        passed.losses.total.backward()
        checks += float64_gradients(fixture, gradients(model), FLOAT64_TOLERANCE)
    return checks


def _run(fixture: Fixture, dtype: torch.dtype) -> tuple[IterativeSlotModel, Pass, list[Frame]]:
    """The pass over the frames before any ``R``, and the frames that ``R`` imagines."""
    model = build(fixture, dtype)
    assert isinstance(model, IterativeSlotModel)
    config = fixture.config
    frames = fixture.tensor("in/imgs", dtype)
    actions = recorded_actions(fixture, dtype)[:, : frames.shape[1] - 1]
    schedule = config["net"]["time_inference_schedule"]
    shown = schedule.index("R") if "R" in schedule else len(schedule)
    noise = Replay(fixture, fixture.noise_log)
    with torch.set_grad_enabled(config["mode"] == "train"):
        passed = model.follow(
            frames[:, :shown],
            actions[:, : shown - 1],
            schedule[:shown],
            config["global_step"],
            noise,
        )
    imagined = []
    with torch.no_grad():
        samples = model.rollouts
        state = passed.frames[-1].state.repeat(samples)
        for t in range(shown, len(schedule)):
            action = actions[:, t - 1].repeat_interleave(samples, 0)
            if model.noise_shape[0] and model.action_noise and model.action_size:
                drawn = noise.action((len(frames), samples, model.action_size), frames)
                action = action + drawn.flatten(0, 1)
            size = (len(frames), samples, model.num_slots, model.latent_size)
            latent = noise.latent(size, frames).flatten(0, 1)
            scale = model.predict(state, action)[1]
            no_action = latent.new_zeros(len(latent), model.action_size)
            state = model.step(state, action, torch.cat([no_action, latent.flatten(1)], 1))
            means, log_masks = model.components(state)
            imagined.append(Frame(state, means, log_masks, prior_scale=scale))
    noise.finish()
    return model, passed, imagined


def _outputs(
    fixture: Fixture, model: IterativeSlotModel, passed: Pass, imagined: list[Frame]
) -> dict[str, Tensor]:
    """What we computed, under the authors' names and in their shapes."""
    schedule = fixture.config["net"]["time_inference_schedule"]
    count, samples = fixture.tensor("in/imgs").shape[0], model.rollouts
    many = "U" in schedule or "R" in schedule
    outputs = {
        "total_loss": passed.losses.total.detach(),
        "nll": passed.losses.terms["nll"],
        "kl": passed.losses.terms["kl"],
    }
    rounds = [
        model.iterations[min(t, len(model.iterations) - 1)] - 1.0
        for t, symbol in enumerate(schedule)
        if symbol == "I"
    ]
    outputs["inference_steps"] = torch.tensor(rounds).mean()
    for t, frame in enumerate([*passed.frames, *imagined]):
        rolled = t >= len(passed.frames)
        split = (lambda x: x.unflatten(0, (count, samples))) if rolled else (lambda x: x)
        outputs[f"x_means/{t}"] = split(frame.means)
        outputs[f"masks/{t}"] = split(frame.log_masks.exp())
        outputs[f"posterior_zs/{t}"] = _latents(frame, count, samples if many else 1)
    discovered = [frame for frame in passed.frames if frame.posterior is not None]
    for index, frame in enumerate(discovered):
        assert frame.posterior is not None
        outputs[f"lambdas/{index}"] = frame.posterior.flatten(0, 1)
    predicted = [f.prior_scale for f in [*passed.frames, *imagined] if f.prior_scale is not None]
    for index, scale in enumerate(predicted):
        outputs[f"dynamics/{index}"] = _sample_major(scale, count).flatten(0, -2)
    return outputs


def _latents(frame: Frame, count: int, samples: int) -> Tensor:
    """(S N K, Z), the rollouts first; a state shared by all rollouts is repeated."""
    latents = frame.state.latents
    if len(latents) == count:
        latents = latents.repeat_interleave(samples, 0)
    return _sample_major(latents, count).flatten(0, -2)


def _sample_major(tensor: Tensor, count: int) -> Tensor:
    """(N S, K, ...) -> (S, N, K, ...)."""
    return tensor.unflatten(0, (count, -1)).transpose(0, 1)
