"""Our model for a fixture: hyper-parameters, weights and state of the recorded one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from armillary.world_models.checkpoints.authors import our_state
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from tests.parity.fixture import Fixture

_SLOT_MODELS = {"Ours": "sdvae", "RSSM": "op3", "SSM": "ssm"}


def recorded_actions(fixture: Fixture, dtype: torch.dtype) -> Tensor:
    """(..., T, A) as they were given; A = 0 where the model is not conditioned."""
    frames = fixture.tensor("in/imgs", dtype)
    if not fixture.config["net"]["action_conditional_dynamics"]:
        return frames.new_zeros(*frames.shape[:-3], 0)
    return fixture.tensor("in/actions", dtype)


def build(fixture: Fixture, dtype: torch.dtype) -> WorldModel:
    """The model that was recorded, before it was run.

    Its noise on actions is 1, because the recorded noise is scaled (or 0 where none was drawn).
    """
    config = fixture.config
    net, geco = config["net"], config["geco"]
    conditional = net["action_conditional_dynamics"]
    common: dict[str, Any] = {
        "image_size": net["input_size"][-1],
        "action_size": net["action_dim"] if conditional else 0,
        "context_length": config["context_len"],
        "latent_size": net["z_size"],
        "conv_channels": net["conv_channels"],
        "action_noise": 1.0 if net["action_noise"] else 0.0,
        "kl_beta": net["kl_beta"],
        "geco_target": geco["C"],
        "geco_warm_start": net["geco_warm_start"],
        "geco_step_size": config.get("geco_beta_stepsize", 1e-6),
    }
    if config["model"] == "VRNN":
        own: dict[str, Any] = {
            "hidden": config["vrnn_hidden"],
            "pixel_std": math.exp(net["log_scale"]),
        }
        name = "vrnn"
    else:
        own = {
            "num_slots": net["K"],
            "lstm_hidden": net["lstm_dim"],
            "iterations": net["iterative_inference_schedule"],
            "rollouts": net["stochastic_samples"],
            "background_std": math.exp(net["bg_log_scale"]),
            "foreground_std": math.exp(net["log_scale"]),
            "slot_ordered": True,
        }
        name = _SLOT_MODELS[net["ssm"]]
        if net.get("separate_variances", name != "op3") != (name != "op3"):
            raise ValueError(f"{name} with separate_variances={net['separate_variances']}")
    model = build_model(name, **common, **own)
    missing, unknown = model.load_state_dict(our_state(fixture.group("param")), strict=False)
    assert not unknown, f"unknown weights {unknown}"
    left = set(missing) - {"action_mean", "action_std", "geco.target", "geco.steps"}
    assert not left, f"missing weights {sorted(left)}"
    model.get_submodule("geco").decay = geco.get("alpha", 0.99)  # type: ignore[assignment]
    model.to(dtype)
    if name != "vrnn":  # once more, now in full precision
        log_std = [net["bg_log_scale"]] + [net["log_scale"]] * (net["K"] - 1)
        model.get_buffer("log_std").copy_(torch.tensor(log_std, dtype=dtype))
    return model
