"""The configuration of a verb, and what is made of its sections."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.loader import Loader, require
from armillary.experiments.command.verbs import CONF, verbs
from armillary.suggestions import listed, suggest

__all__ = [
    "CONF",
    "build",
    "choices",
    "compose",
    "flatten",
    "loader_of",
    "require",
    "to_dict",
    "typed",
    "verbs",
]

Settings = TypeVar("Settings")


def loader_of(folder: str | Path | None = None) -> Loader:
    """The loader that also knows a user's folder of YAMLs, as seen from where this process is.

    Raises:
        UsageError: there is no such folder.
    """
    return _loader_at(folder, None if folder is None else Path.cwd())


@cache
def _loader_at(folder: str | Path | None, _: Path | None) -> Loader:
    return Loader(folder)


def compose(verb: str, words: Sequence[str], folder: str | Path | None = None) -> DictConfig:
    """The configuration of a verb; see ``Loader.compose``.

    Args:
        verb: one of ``verbs()``.
        words: ``key=value`` and the like, as on the command line.
        folder: of a user's own YAMLs by group.

    Raises:
        UsageError: a word, a YAML or the folder is wrong.
    """
    return loader_of(folder).compose(verb, words)


def choices(verb: str, group: str, folder: str | Path | None = None) -> list[str]:
    """What a verb's group can be set to."""
    return loader_of(folder).choices(verb, group)


def build(section: DictConfig, **more: Any) -> Any:
    """Constructs what a section with a ``_target_`` configures; lists and dictionaries are plain.

    Args:
        section: ``_target_`` and its keyword arguments.
        **more: further keyword arguments.

    Raises:
        UsageError: it names no class, or the values do not suit it.
    """
    if "_target_" not in section:
        raise UsageError(f"_target_ must name the class to construct; there is {listed(section)}")
    try:
        return hydra.utils.instantiate(section, **more, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, ArmillaryError | TypeError):
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
    except MissingMandatoryValue as error:
        raise UsageError(f"{str(error).splitlines()[0].rpartition(': ')[2]} is required") from error
    except OmegaConfBaseException as error:
        told = str(error).splitlines()[0]
        told = "must be a list" if "is not a ListConfig" in told else told
        raise UsageError(f"{error.full_key}: {told}") from error
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
