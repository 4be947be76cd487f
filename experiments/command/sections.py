"""Sections that configure classes: their defaults written out, their keys and values checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from types import NoneType
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationToMissingValueError

from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.parameters import (
    OF_THE_DATA,
    Parameter,
    checked,
    model_class,
    parameters_of,
    target_of,
)
from armillary.experiments.command.verbs import declared, groups_of, options_of, verbs
from armillary.seeds import SEEDS
from armillary.suggestions import suggest
from armillary.world_models.training.schedule import Stage

MODEL = "model"
_STAGE = re.compile(r"trainer\.stages\.\w+")
_FREE = re.compile(r"task\.environment(\.options)?|trainer\.stages|.*\.terms")
"""Sections whose keys only those who read them know."""
_OF_HYDRA = {"_target_", "_convert_", "_partial_", "_args_", "_recursive_"}
_ADDED = {"hydra", "choices", "plugins"}
_SEVERAL = ("runs", "real", "generated")
"""Options without a default that may be lists; all others are texts."""
_NULLABLE: dict[str, Any] = {
    "videos": int | None,
    "context": int | None,
    "horizon": int | None,
    "num_slots": int | None,
    "threads": int | None,
    "populations": int | None,
    "frames": int | None,
    "stride": int | None,
    "batch_size": int | None,
    "image_size": int | None,
    "environment": str | None,
    "lpips": str | None,
    "weights": str | None,
    "checkpoint": str | None,
    "title": str | None,
}
"""The kinds of options whose default is null."""
_LEAST = {
    "batch": 1,
    "chunk": 1,
    "context": 1,
    "episodes": 1,
    "films": 0,
    "fps": 0.1,
    "horizon": 1,
    "num_slots": 1,
    "populations": 1,
    "rollouts": 1,
    "samples": 0,
    "side": 1,
    "stride": 1,
    "threads": 1,
    "tolerance": 0,
}
"""What options must be at least, in whichever verb has them."""
_CHOICES = {
    "context_frames": ("reconstructed", "recorded"),
    "objects": ("auto", "required", "never"),
    "onnx": ("auto", "always", "never"),
    "plan": ("auto", "always", "never"),
    "precision": ("float32", "bfloat16", "bf16"),
}
"""What options may be, likewise."""


def check_options(config: DictConfig) -> None:
    """Raises UsageError if the seed, a number or a word is none that an option may be."""
    if not 0 <= config.seed < SEEDS:
        raise UsageError(f"seed must be at least 0 and below {SEEDS}, got {config.seed}")
    for name, least in _LEAST.items():
        value = config.get(name)
        if value is not None and value < least:
            raise UsageError(f"{name} must be at least {least}, got {value}")
    for name, valid in _CHOICES.items():
        value = config.get(name, valid[0])
        if value not in valid:
            raise UsageError(f"unknown {name} {value!r}; {suggest(str(value), valid)}")


def configured(path: str, section: DictConfig) -> Any:
    """What a section configures: a model by its name, else what ``_target_`` says, or None."""
    if path == MODEL and "name" in section:
        return model_class(section["name"])
    return target_of(section)


def fill(section: DictConfig, path: str = "") -> None:
    """Writes out the defaults of every class that a section, or one in it, configures."""
    for name, parameter in parameters_of(configured(path, section)).items():
        if not _there(section, name):
            default = None if path == MODEL and name in OF_THE_DATA else parameter.default
            default = list(default) if isinstance(default, tuple) else default
            if isinstance(default, bool | int | float | str | NoneType | list) and name != "_":
                with open_dict(section):
                    section[name] = default
    for key, child in _children(section):
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            fill(child, _dotted(path, key))


def check_sections(config: DictConfig, verb: str) -> None:
    """Raises UsageError if a YAML sets a key that nobody takes."""
    known = {*options_of(verb), *groups_of(verb)}
    chosen = {str(group).partition("@")[0] for group in config.hydra.runtime.choices}
    for key in map(str, config):
        if key not in known | chosen | _ADDED:
            raise UsageError(f"{verb} has no option {key!r}; {suggest(key, known)}")
    for key in options_of(verb):
        section, own = config._get_node(key), declared(verb)._get_node(key)
        if not (isinstance(section, DictConfig) and isinstance(own, DictConfig)) or key in verbs():
            continue
        if "_target_" not in section:
            _check_keys(key, section, set(map(str, own)))
    _check_configured(config, verb, "")


def assign(verb: str, config: DictConfig, word: Override) -> None:
    """Sets, adds (``+key``, ``++key``) or removes (``~key``) what a word names.

    Raises:
        UsageError: the key is not there, or the value is not of its kind.
    """
    key = word.key_or_group
    parent, _, name = key.rpartition(".")
    section = OmegaConf.select(config, parent) if parent else config
    if not isinstance(section, DictConfig) or key.split(".")[0] in _ADDED:
        raise UsageError(f"{verb} has no option {key!r}; {suggest(key, _options(config))}")
    if word.is_delete():
        if name not in section:
            raise UsageError(
                f"there is no {key!r} to remove; {suggest(key, _names(parent, section))}"
            )
        with open_dict(section):
            del section[name]
        return
    stage = _STAGE.fullmatch(parent)
    parameters = parameters_of(Stage if stage else configured(parent, section))
    there = _there(section, name)
    if word.is_add() and there and OmegaConf.select(section, name) is not None:
        raise UsageError(f"+{key}: it is there already; write {key}=... to change it")
    adds = word.is_add() or word.is_force_add() or name in parameters or _FREE.fullmatch(parent)
    if not there and not adds:
        names = {*_names(parent, section), *(_dotted(parent, one) for one in parameters)}
        raise UsageError(f"{verb} has no option {key!r}; {suggest(key, names)}")
    value = word.value()
    text = str(word.input_line).partition("=")[2]
    annotation, example = _kind(section, name, parameters)
    OmegaConf.update(config, key, checked(key, value, annotation, text, example), force_add=True)


def _check_configured(section: DictConfig, verb: str, path: str) -> None:
    thing = configured(path, section)
    if thing is not None:
        kinds = {one.kind for one in inspect.signature(thing).parameters.values()}
        own = OmegaConf.select(declared(verb), path) if path else None
        extra = set(map(str, own)) if isinstance(own, DictConfig) else set()
        extra |= _OF_HYDRA if "_target_" in section else {"name"}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            _check_keys(path, section, {*parameters_of(thing), *extra})
    for key, child in _children(section):
        if key not in _ADDED and isinstance(child, DictConfig) and not child._is_none():
            _check_configured(child, verb, _dotted(path, key))


def _check_keys(path: str, section: DictConfig, known: set[str]) -> None:
    for key in map(str, section):
        if key not in known:
            choices = [_dotted(path, name) for name in known - _OF_HYDRA]
            raise UsageError(
                f"unknown setting {_dotted(path, key)!r}; {suggest(_dotted(path, key), choices)}"
            )


def _kind(section: DictConfig, name: str, parameters: Mapping[str, Parameter]) -> tuple[Any, Any]:
    """The annotation of an option, and a value that it may have."""
    missing = OmegaConf.is_missing(section, name)
    try:
        example = section[name] if _there(section, name) and not missing else None
    except InterpolationToMissingValueError:  # made of an option that a later word may give
        missing, example = True, None
    if OmegaConf.is_config(example):
        example = OmegaConf.to_container(example)
    if name in parameters:
        annotation = parameters[name].annotation
        return (annotation | None if name in OF_THE_DATA else annotation), example
    if missing:
        return (Any if name in _SEVERAL else str), None
    if example is None:
        return _NULLABLE.get(name, Any), None
    return type(example), example


def _there(section: DictConfig, name: str) -> bool:
    """Whether a section has a key, be its value missing."""
    return section._get_node(name) is not None


def _children(section: DictConfig) -> list[tuple[str, Any]]:
    return [(str(key), section._get_node(key)) for key in section]


def _names(parent: str, section: DictConfig) -> list[str]:
    return [_dotted(parent, option) for option in _options(section)]


def _options(section: DictConfig) -> list[str]:
    """The keys of a section, subsections as ``name.*``."""
    keys = [f"{key}.*" if OmegaConf.is_dict(node) else key for key, node in _children(section)]
    return [key for key in keys if not key.startswith("_") and key.split(".")[0] not in _ADDED]


def _dotted(parent: str, name: str) -> str:
    return f"{parent}.{name}" if parent else name
