"""Weights of the published models: the authors' names and shapes, and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from armillary.errors import shortened
from armillary.reading import reading
from armillary.suggestions import listed, suggest
from armillary.world_models.checkpoints.locate import CheckpointError
from armillary.world_models.checkpoints.weights import check_finite, outline
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model, model_config

_SHARED = (
    ("geco_C_ema", "geco.average"),
    ("geco_beta", "geco.beta"),
)
_SLOT_MODELS = (
    *_SHARED,
    ("lamda_0", "initial"),
    ("refine_net.input_proj.0.", "refinement.project."),
    ("refine_net.lstm.weight_ih_l0", "refinement.lstm.weight_ih"),
    ("refine_net.lstm.weight_hh_l0", "refinement.lstm.weight_hh"),
    ("refine_net.lstm.bias_ih_l0", "refinement.lstm.bias_ih"),
    ("refine_net.lstm.bias_hh_l0", "refinement.lstm.bias_hh"),
    ("refine_net.", "refinement."),
    ("image_decoder.", "decoder."),
    ("relational_dynamics.past_rnn.weight_ih_l0", "dynamics.gru.weight_ih"),
    ("relational_dynamics.past_rnn.weight_hh_l0", "dynamics.gru.weight_hh"),
    ("relational_dynamics.past_rnn.bias_ih_l0", "dynamics.gru.bias_ih"),
    ("relational_dynamics.past_rnn.bias_hh_l0", "dynamics.gru.bias_hh"),
    ("relational_dynamics.d_obj.0.", "dynamics.embed."),
    ("relational_dynamics.d_act.0.", "dynamics.action_embed."),
    ("relational_dynamics.d_act_eff.0.", "dynamics.action_effect."),
    ("relational_dynamics.d_act_att.0.", "dynamics.action_attention."),
    ("relational_dynamics.d_obj_eff.0.", "dynamics.effect."),
    ("relational_dynamics.d_obj_att.0.", "dynamics.attention."),
    ("relational_dynamics.d_comb.", "dynamics.combine."),
    ("relational_dynamics.h.", "dynamics.hidden."),
    ("relational_dynamics.", "dynamics."),
)
_VRNN = (
    *_SHARED,
    *(
        (f"phi_x.{layer}.{theirs}.", f"frame_encoder.layers.{layer}.{ours}.")
        for layer in range(5)
        for theirs, ours in (
            ("h", "linear"),
            ("g", "gate"),
            ("bn_h", "linear_norm"),
            ("bn_g", "gate_norm"),
        )
    ),
    ("phi_x.6.", "frame_encoder.project.1."),
    ("phi_z.", "latent_encoder."),
    ("q_loc.", "posterior.loc."),
    ("q_var.", "posterior.scale."),
    ("encoder.", "posterior.layers."),
    ("p_loc.", "prior.loc."),
    ("p_var.", "prior.scale."),
    ("prior.", "prior.layers."),
    ("dec.", "decoder."),
    ("lstm.weight_ih_l0", "lstm.weight_ih"),
    ("lstm.weight_hh_l0", "lstm.weight_hh"),
    ("lstm.bias_ih_l0", "lstm.bias_ih"),
    ("lstm.bias_hh_l0", "lstm.bias_hh"),
)
MODELS = ("sdvae", "sdvae_davos", "op3", "ssm", "vrnn", "vrnn_star")
"""The published models by our names."""
_HOLDERS = ("model", "state_dict", "model_state_dict")
"""Where training code keeps a state dict in its checkpoints."""
_WRAPPERS = re.compile(r"^(?:(?:module|_orig_mod)\.)+")
"""What wrappers for several processes and for compiling put before a name, once or more often."""
_WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def our_name(name: str) -> str:
    """Our name of one of the authors' parameters or buffers, without ``module.``.

    Raises:
        CheckpointError: the authors' models have no such parameter.
    """
    recurrent = name.startswith(("phi_", "encoder.", "q_", "p_", "prior.", "dec.", "lstm."))
    for theirs, ours in _VRNN if recurrent else _SLOT_MODELS:
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    raise CheckpointError(f"no published model has a parameter {name!r}")


def our_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the authors' under our names and in our shapes."""
    renamed = {our_name(name): tensor for name, tensor in state.items()}
    if "initial" in renamed:
        renamed["initial"] = renamed["initial"].flatten()
    return renamed


def import_model(
    checkpoint: Mapping[str, Any], *, name: str = "auto", num_slots: int = 6
) -> WorldModel:
    """Builds one of our models from a checkpoint of the authors' code.

    Sizes are read off the weights; the number of slots is in none of them.

    Args:
        checkpoint: ``{"step": ..., "model": state dict, "model_opt": ...}``, the same with
            ``state_dict`` or ``model_state_dict``, or the state dict alone; what wrappers put
            before names (``module.``, ``_orig_mod.``) is left out.
        name: one of ``MODELS``; ``auto`` takes sdvae, op3, ssm or vrnn by the weights.
        num_slots: K.

    Raises:
        CheckpointError: this is no such checkpoint, it is of another model than ``name`` (the
            first names that differ are told), or weights are NaN.
    """
    state = _state_of(checkpoint)
    steps = _steps(checkpoint.get("step", 0))
    family = _family(state)
    if name == "auto":
        name = family
    elif name not in MODELS:
        raise CheckpointError(f"unknown published model {name!r}; {suggest(name, MODELS)}")
    ours = our_state(state)
    check_finite(ours, "the authors' weights (our names)")
    hyperparameters = _hyperparameters(ours, family, num_slots)
    with reading(name, "no such model can have the sizes of these weights", CheckpointError):
        sketch = outline(name, hyperparameters, len(ours))
    _check_fit(sketch, ours, f"{name!r} (the weights look like {family!r})")
    model = build_model(name, **hyperparameters)
    own = model.state_dict()
    with torch.no_grad():
        for key, tensor in ours.items():
            own[key].copy_(tensor)
    model.get_buffer("geco.steps").fill_(steps)
    return model.eval()


def _state_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in a checkpoint under the authors' names."""
    held = [checkpoint[key] for key in _HOLDERS if isinstance(checkpoint.get(key), Mapping)]
    weights = held[0] if held else checkpoint
    plain = all(
        isinstance(key, str) and isinstance(tensor, Tensor) and _is_plain(tensor)
        for key, tensor in weights.items()
    )
    if not weights or not plain:
        raise CheckpointError(
            f"a checkpoint of the authors' code holds 'model' (or {listed(_HOLDERS[1:])}), a "
            f"dictionary of dense tensors by name; got the keys {listed(checkpoint, 'none')}"
        )
    return {_WRAPPERS.sub("", key): tensor for key, tensor in weights.items()}


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds numbers of its own that a model can take."""
    numbers = tensor.dtype.is_floating_point or tensor.dtype in _WHOLE
    return tensor.layout is torch.strided and tensor.device.type == "cpu" and numbers


def _steps(given: Any) -> int:
    """How many optimiser steps a checkpoint was trained for."""
    with reading("step", "must be how many steps it was trained for", CheckpointError):
        steps = int(given) if isinstance(given, int | float | Tensor) else 0
        if not 0 <= steps < 2**63:
            raise ValueError(f"got {shortened(str(steps), 60)}")
    return steps


def _family(state: Mapping[str, Tensor]) -> str:
    """Which architecture a state dict under the authors' names belongs to."""
    if "phi_x.6.weight" in state:
        return "vrnn"
    if "lamda_0" not in state:
        raise CheckpointError(
            "the weights are of none of the published models: neither 'lamda_0' nor "
            f"'phi_x.6.weight' is among {listed(state, 'no names')}"
        )
    if "relational_dynamics.h.weight" in state:
        return "op3"
    return "sdvae" if "relational_dynamics.past_rnn.weight_ih_l0" in state else "ssm"


def _hyperparameters(state: Mapping[str, Tensor], family: str, num_slots: int) -> dict[str, Any]:
    """Sizes, from the shapes of weights under our names."""
    common = {
        "action_size": 0,
        "conv_channels": _size(state, "decoder.decode.0.weight", 0),
    }
    if family == "vrnn":
        hidden = _size(state, "lstm.weight_hh", 1)
        positions = _size(state, "frame_encoder.project.1.weight", 1) // 64
        return {
            **common,
            "image_size": 4 * round(positions**0.5),
            "action_size": _size(state, "posterior.layers.0.weight", 1) - 2 * hidden,
            "latent_size": _size(state, "prior.loc.weight", 0),
            "hidden": hidden,
        }
    if "dynamics.action_embed.weight" in state:
        common["action_size"] = _size(state, "dynamics.action_embed.weight", 1)
    channels = _size(state, "refinement.conv.4.weight", 0)
    positions = _size(state, "refinement.conv.8.weight", 1) // channels
    return {
        **common,
        "image_size": 4 * round(positions**0.5),
        "num_slots": num_slots,
        "latent_size": _size(state, "initial", 0) // 2,
        "lstm_hidden": _size(state, "refinement.lstm.weight_hh", 1),
        "slot_ordered": True,
    }


def _size(state: Mapping[str, Tensor], name: str, axis: int) -> int:
    """The length of an axis of a weight under our name, at least 1."""
    if name not in state:
        raise CheckpointError(f"the weights lack {name!r} (our name)")
    shape = tuple(state[name].shape)
    if len(shape) <= axis or shape[axis] < 1:
        raise CheckpointError(
            f"the weight {name!r} (our name) must have {axis + 1} axes or more, each at least 1 "
            f"long, got the shape {shape}"
        )
    return shape[axis]


def _check_fit(model: WorldModel, state: Mapping[str, Tensor], what: str) -> None:
    """Raises CheckpointError that tells the first names that differ."""
    own = model.state_dict()
    optional = {"action_mean", "action_std", "geco.target", "geco.steps"}
    missing = [key for key in own if key not in state and key not in optional]
    unknown = [key for key in state if key not in own]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in state
        if key in own and state[key].shape != own[key].shape
    ]
    problems = [
        f"{title}: {', '.join(names[:3])}"
        for title, names in (("missing", missing), ("unknown", unknown), ("shapes", shapes))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"the checkpoint does not fit {what} with {model_config(model)['hyperparameters']}: "
            + "; ".join(problems)
        )
