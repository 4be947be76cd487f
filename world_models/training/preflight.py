"""Checks before training starts: do settings, model, data and an earlier run fit together?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, Literal

import torch

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest
from armillary.world_models.checkpoints.checkpoint import CheckpointInfo, load_weights, read_info
from armillary.world_models.checkpoints.locate import (
    CheckpointError,
    bundled_checkpoints,
    settled,
)
from armillary.world_models.checkpoints.origin import check_origin
from armillary.world_models.checkpoints.weights import MisfitError
from armillary.world_models.data import Split, WindowDataset
from armillary.world_models.data.identity import CONTENT_ID, changed
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import canonical, model_config, resolved_config
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.schedule import Stage

Resume = Literal["auto", "never", "required"]

DECISIVE = (
    "seed",
    "init_from",
    "stages",
    "precision",
    "optimizer",
    "weight_decay",
    "gradient_clip",
)
"""The settings that a resumed run must share with the run it continues."""


def check_fit(config: TrainerConfig, model: WorldModel, train: Split, validation: Split) -> None:
    """Raises ArmillaryError unless the model can be saved and be trained on the data."""
    model_config(model)
    for split in (train, validation):
        found = (split.info.image_size, split.info.action_size)
        wanted = (model.image_size, model.action_size)
        if found != wanted:
            raise ArmillaryError(
                f"{type(model).__name__} wants frames of {wanted[0]} px and actions of size "
                f"{wanted[1]}; split {split.name!r} of {split.path} has {found[0]} px and size "
                f"{found[1]}"
            )
    for index, stage in enumerate(config.stages):
        model.check_objective(stage.objective)
        if stage.target is not None:
            deepcopy(model).set_target(stage.target)
        if stage.keep_optimizer:
            _check_same_parameters(model, config.stages, index)
        if stage.encode_once and stage.length < 2:
            raise ArmillaryError(
                f"stage {index} trains on encoded states and needs length >= 2, got {stage.length}"
            )
        for split in (train, validation):
            WindowDataset(split, stage.length, stage.stride, labels=False)
        if stage.encode_once:
            _check_encoder_is_frozen(model, train, stage)


def initial_weights(model: WorldModel, config: TrainerConfig) -> CheckpointInfo | None:
    """The checkpoint that a new run starts from, or None; not yet loaded.

    Raises:
        CheckpointError: there is none, it is damaged or of another model, or does not fit.
    """
    if config.init_from is None:
        return None
    info = read_info(config.init_from)
    check_origin(info.plugin, info.model["name"], info.path)
    there, here = canonical(info.model["name"], {})[0], model_config(model)["name"]
    if there != here:
        raise CheckpointError(
            f"init_from={config.init_from} is a {there!r}, and a {here!r} is to be trained; choose "
            f"a checkpoint of {here!r}, or leave init_from out"
        )
    try:
        load_weights(deepcopy(model), info)
    except MisfitError as error:
        raise CheckpointError(
            f"init_from={config.init_from}: {error.reason}; it is {told_of(info, model)}"
        ) from error
    return info


def told_of(info: CheckpointInfo, model: WorldModel) -> str:
    """A checkpoint's path, and in what it was built differently from a model, for messages."""
    former = canonical(info.model["name"], info.model["hyperparameters"])[1]
    own = model_config(model)["hyperparameters"]
    others = [name for name in sorted(own) if name in former and own[name] != former[name]]
    told = ", ".join(f"{name}={former[name]!r} instead of {own[name]!r}" for name in others)
    return f"{info.path}, built with {told}" if told else str(info.path)


def earlier_run(
    last: Path, model: WorldModel, config: TrainerConfig, resume: Resume
) -> CheckpointInfo | None:
    """The checkpoint to continue from, or None if there is none.

    Args:
        last: where the run keeps its ``last`` checkpoint.
        model: to be trained.
        config: of the run.
        resume: ``auto``, ``never`` or ``required``, as for ``Trainer.fit``.

    Raises:
        CheckpointError: it is damaged, of another run, or against ``resume``.
        ArmillaryError: ``resume`` is none of the three.
    """
    choices = ("auto", "never", "required")
    if resume not in choices:
        raise ArmillaryError(f"unknown resume {resume!r}; {suggest(str(resume), choices)}")
    if not settled(last).exists():
        if resume == "required":
            raise CheckpointError(f"there is no {last} to resume from")
        return None
    if resume == "never":
        raise CheckpointError(
            f"there is a run already: {last}; choose another output directory, or resume=auto to "
            "continue it"
        )
    info = read_info(last)
    known = resolved_config(info.model["name"], info.model["hyperparameters"])
    there = _identity(known, info.training)
    here = _identity(model_config(model), asdict(config))
    for name in sorted({*there, *here}):
        if there.get(name) != here.get(name):
            raise CheckpointError(
                f"{last} is of another run: {name} is {there.get(name)!r} there and "
                f"{here.get(name)!r} here; choose another output directory or the same settings"
            )
    return info


def other_data(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """How the data that a checkpoint was trained on differ from others; None where they do not.

    Checkpoints of before data had ids are judged by the attributes and splits of the file.

    Args:
        there: what the checkpoint says of its data.
        here: the same of the others, in the words of a checkpoint.
    """
    told = changed(there, here)
    if told or there.get(CONTENT_ID):
        return told
    for name in ("attributes", "splits"):
        if name in there and name in here and there[name] != here[name]:
            file = here.get("path", "a file")
            return f"{there.get('file', 'a file')} there and {file} here have other {name}"
    return None


def _check_encoder_is_frozen(model: WorldModel, split: Split, stage: Stage) -> None:
    """Raises ArmillaryError if states encoded once would go stale: if ``filter`` is trained."""
    clip = WindowDataset(split, stage.length, labels=False).batch([0])
    window = clip.to_window(model.action_mean.device)
    names = {parameter: name for name, parameter in model.named_parameters()}
    trained = [p for p in model.trainable(stage.objective) if p.requires_grad]
    with torch.enable_grad():
        tensors = model.filter(window.frames, window.actions).tensors().values()
        total = torch.stack([tensor.sum() for tensor in tensors]).sum()
    if not total.requires_grad:
        return
    gradients = torch.autograd.grad(total, trained, allow_unused=True)
    reached = [names[p] for p, g in zip(trained, gradients, strict=True) if g is not None]
    if reached:
        raise ArmillaryError(
            f"objective {stage.objective!r} trains {reached[0]!r}, which the encoding of "
            f"{type(model).__name__} depends on, so the data cannot be encoded once; set "
            "encode_once=false, or choose hyperparameters that keep the two apart"
        )


def _check_same_parameters(model: WorldModel, stages: Sequence[Stage], index: int) -> None:
    """Raises ArmillaryError unless the stage before ``index`` trains the same parameters."""
    if index == 0:
        raise ArmillaryError("stage 0 has no stage before it and cannot have keep_optimizer=true")
    before, here = stages[index - 1].objective, stages[index].objective
    trained = [[id(p) for p in model.trainable(name)] for name in (before, here)]
    if trained[0] != trained[1]:
        raise ArmillaryError(
            f"stage {index} has keep_optimizer=true but its objective {here!r} does not train the "
            f"parameters of {before!r}, the objective before it; set keep_optimizer=false"
        )


def _identity(model: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run that run, settings that an older version did not know at their defaults."""
    defaults = {f.name: f.default for f in fields(Stage) if f.default is not MISSING}
    decisive = {name: training.get(name) for name in DECISIVE}
    decisive["init_from"] = _place(decisive["init_from"])
    decisive["stages"] = [{**defaults, **stage} for stage in training.get("stages", ())]
    return _flatten({"model": model, **decisive})


def _place(source: str | None) -> str | None:
    """A checkpoint however it is spelt; it may be gone by now."""
    if source is None or source in bundled_checkpoints():
        return source
    return str(Path(source).expanduser().resolve())


def _flatten(tree: Mapping[str, Any] | Sequence[Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dictionaries and lists by dotted name."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
    leaves: dict[str, Any] = {}
    for key, value in items:
        nested = isinstance(value, Mapping | list | tuple)
        name = f"{prefix}{key}"
        leaves |= _flatten(value, f"{name}.") if nested else {name: value}
    return leaves
