"""Composes a verb's configuration from YAML groups and key=value words; explains mistakes."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

import hydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationToMissingValueError,
    OmegaConfBaseException,
)

from armillary import plugins
from armillary.experiments import conf
from armillary.experiments.command import plugin_groups
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.words import parsed
from armillary.suggestions import suggest

CONF = Path(str(conf.__file__)).parent
POSITIONAL = "positional"
SEEDS = 2**32
"""How many seeds there are to choose from; those above are the collected episodes' own."""

Settings = TypeVar("Settings")

_CHECKED_BY_CONSUMER = re.compile(r"model|task\.environment|trainer\.stages\.\w+")
"""Sections that may be given more keys than their YAML lists: arguments of classes that say
themselves what they take."""
_NULLABLE = ("trainer.max_steps",)
"""Options that null switches off although an experiment sets them."""


def verbs() -> tuple[str, ...]:
    """The commands: every YAML at the top of ``experiments/conf`` is one."""
    return tuple(sorted(path.stem for path in CONF.glob("*.yaml")))


def groups() -> tuple[str, ...]:
    """The configuration groups: every folder of ``experiments/conf``."""
    return tuple(sorted(path.name for path in CONF.iterdir() if any(path.rglob("*.yaml"))))


def choices(group: str) -> tuple[str, ...]:
    """What a group can be set to, ``push_blocks/slot_dynamics`` for a file in a subfolder."""
    root = CONF / group
    own = {p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml")}
    return tuple(sorted(own | plugin_groups.choices(group)))


def groups_of(verb: str) -> tuple[str, ...]:
    """The groups that a verb's configuration is made of."""
    entries = [entry for entry in _list_of(verb, "defaults") if isinstance(entry, dict)]
    return tuple(str(group) for entry in entries for group in entry)


def positional_of(verb: str) -> tuple[str, ...]:
    """The keys that words without ``key=`` set, in their order: ``positional`` in a verb's YAML.

    The last one may end in ``...``: it is set to the list of all further words.
    """
    return tuple(map(str, _list_of(verb, POSITIONAL)))


def compose(verb: str, words: Sequence[str]) -> DictConfig:
    """The configuration of a verb, with ``choices``: what every group is set to.

    A group that is not chosen takes what the task recommends for it, where it does.

    Args:
        verb: one of ``verbs()``.
        words: ``key=value`` or ``group=choice``, in Hydra's grammar, or values of the keys that
            the verb takes by position.

    Raises:
        UsageError: a word is no ``key=value``, or a key, a choice or a value's type is wrong.
    """
    overrides = parsed(verb, positional_of(verb), words)
    named = [override for override in overrides if override.key_or_group == "plugins"]
    overrides = [override for override in overrides if override not in named]
    modules = (named[-1].value() if named else None) or []
    plugin_groups.prepare(modules)
    chosen = {o.key_or_group: str(o.value()) for o in overrides if o.key_or_group in groups()}
    for group, choice in chosen.items():
        if group not in groups_of(verb):
            raise UsageError(f"{verb} has no option {group!r}; {suggest(group, groups_of(verb))}")
        if choice not in choices(group):
            raise UsageError(
                f"unknown {group} {choice!r}; {suggest(choice, choices(group))}"
                f"{plugins.broken_note()}"
            )
    try:
        config, used = _compose(verb, chosen)
        recommended = OmegaConf.select(config, "task.recommended") or {}
        wanted = {group: recommended[group] for group in recommended if group in used} | chosen
        if used | wanted != used:
            config, used = _compose(verb, wanted)
        if "task" in used and "horizon" in config and not recommended:
            planned = [task for task in choices("task") if _poses_problems(verb, task)]
            raise UsageError(
                f"task {used['task']} poses no planning problem; choose from {', '.join(planned)}"
            )
        for override in overrides:
            if override.key_or_group not in chosen:
                _set(verb, config, override.key_or_group, override.value())
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(str(error).strip().splitlines()[0]) from error
    with open_dict(config):
        config["choices"] = used
        if modules:
            config["plugins"] = modules
    return config


def require(config: DictConfig) -> None:
    """Raises UsageError if a value that has no default was not given, or the seed is negative."""
    try:
        missing = sorted(OmegaConf.missing_keys(config))
    except InterpolationToMissingValueError as error:
        missing = [str(error).splitlines()[0].rpartition(": ")[2]]
    if missing:
        raise UsageError(f"{missing[0]} is required: add {missing[0]}=...")
    if not 0 <= config.seed < SEEDS:
        raise UsageError(f"seed must be at least 0 and below {SEEDS}, got {config.seed}")


def build(section: DictConfig, **more: Any) -> Any:
    """Constructs what a section with a ``_target_`` configures; lists and dictionaries are plain.

    Args:
        section: ``_target_`` and its keyword arguments.
        **more: further keyword arguments.

    Raises:
        UsageError: the values do not suit the class.
    """
    try:
        return hydra.utils.instantiate(section, **more, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError | TypeError):
            raise UsageError(str(error.__cause__)) from error
        raise


def typed(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """A dataclass from plain values, converted to the types of its fields.

    Raises:
        UsageError: a key is no field, or a value cannot be converted.
    """
    schema = OmegaConf.structured(kind)
    OmegaConf.set_readonly(schema, False)
    try:
        settings = OmegaConf.to_object(OmegaConf.merge(schema, dict(values)))
    except ConfigKeyError as error:
        names = list(inspect.signature(error.object_type or kind).parameters)
        key = str(error.full_key)
        raise UsageError(
            f"unknown setting {key!r}; {suggest(key.split('.')[-1], names)}"
        ) from error
    except OmegaConfBaseException as error:
        raise UsageError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    assert isinstance(settings, kind)
    return settings


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dictionaries by dotted key."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def to_dict(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, interpolations resolved."""
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _compose(verb: str, chosen: Mapping[str, str]) -> tuple[DictConfig, dict[str, str | None]]:
    """What the YAML files say, with all defaults of the classes that they name; and the choices."""
    words = [f"{group}={choice}" for group, choice in chosen.items()]
    if plugins.config_dirs():
        words.append(f"hydra.searchpath=[{','.join(f'file://{d}' for d in plugins.config_dirs())}]")
    with hydra.initialize_config_module("armillary.experiments.conf", version_base="1.3"):
        OmegaConf.register_new_resolver("now", time.strftime, use_cache=True, replace=True)
        config = hydra.compose(verb, words, return_hydra_config=True)
    used = {group: config.hydra.runtime.choices[group] for group in groups_of(verb)}
    with open_dict(config):
        del config["hydra"]
        config.pop(POSITIONAL, None)
        _fill(config)
    return config, used


def _poses_problems(verb: str, task: str) -> bool:
    """Whether a task has a goal, and so a recommended search."""
    config, _ = _compose(verb, {"task": task})
    return "recommended" in config.task


def _fill(section: DictConfig) -> None:
    """Writes out the defaults of every class that a section configures."""
    target = section.get("_target_")
    parameters = inspect.signature(hydra.utils.get_object(target)).parameters if target else {}
    for name, parameter in parameters.items():
        if name not in section and isinstance(parameter.default, _PLAIN):
            section[name] = parameter.default
    for key in section:
        child = section._get_node(str(key))
        if isinstance(child, DictConfig) and not child._is_none():
            _fill(child)


def _list_of(verb: str, key: str) -> list[Any]:
    """A list at the top of a verb's YAML, empty where there is none."""
    content = OmegaConf.to_container(OmegaConf.load(CONF / f"{verb}.yaml"))
    assert isinstance(content, dict)
    return content.get(key, [])


def _set(verb: str, config: DictConfig, key: str, value: Any) -> None:
    """Sets a key to a value; the key must exist, and its default be of the same type."""
    parent, _, name = key.rpartition(".")
    section = OmegaConf.select(config, parent) if parent else config
    if not isinstance(section, DictConfig):
        raise UsageError(f"{verb} has no option {key!r}; {suggest(key, _options(config))}")
    if name in list(section):
        if not (OmegaConf.is_missing(section, name) or OmegaConf.is_interpolation(section, name)):
            _check_type(key, section[name], value)
    elif not _CHECKED_BY_CONSUMER.fullmatch(parent):
        valid = [f"{parent}.{option}" if parent else option for option in _options(section)]
        raise UsageError(f"{verb} has no option {key!r}; {suggest(key, valid)}")
    OmegaConf.update(config, key, value, force_add=True)


def _options(section: DictConfig) -> list[str]:
    """The keys of a section, subsections as ``name.*``."""
    nested = {key for key in section if OmegaConf.is_dict(section._get_node(str(key)))}
    keys = [f"{key}.*" if key in nested else str(key) for key in section]
    return [key for key in keys if not key.startswith("_")]


_PLAIN = (bool, int, float, str, NoneType)
_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str, int, float), "a text"),
    list: ((list,), "a list [a,b,c]"),
    dict: ((dict,), "a dictionary {a: 1}"),
}


def _check_type(key: str, default: Any, value: Any) -> None:
    """Raises UsageError unless a value is of the kind of the default.

    Anything may take the place of null, and what is built from a class that of a text.
    """
    plain = OmegaConf.to_container(default) if OmegaConf.is_config(default) else default
    if plain is None or (isinstance(value, dict) and "_target_" in value):
        return
    if value is None and key in _NULLABLE:
        return
    kinds, name = _KINDS[type(plain)]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        given = "null" if value is None else repr(value)
        raise UsageError(f"{key} must be {name} such as {plain!r}, got {given}")
