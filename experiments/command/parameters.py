"""What a class that a section configures takes: its parameters, their kinds, what they mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra._internal.utils import _locate
from omegaconf import DictConfig

from armillary import plugins
from armillary.errors import shortened
from armillary.experiments.command.errors import UsageError
from armillary.world_models.registry import canonical

_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)
_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list [a,b,c]",
    dict: "a dictionary {a: 1}",
}
_EXAMPLES: dict[type, str] = {list: "[]", dict: "{}"}
OF_THE_DATA = ("image_size", "action_size")
"""Hyperparameters of a model that are the data's unless they are given."""


@dataclass(frozen=True)
class Parameter:
    """A keyword of a class.

    Attributes:
        default: ``inspect.Parameter.empty`` where it must be given.
        annotation: its type, ``Any`` where it has none.
        explanation: from the docstring; may be empty.
    """

    default: Any
    annotation: Any
    explanation: str


def target_of(section: DictConfig) -> Any:
    """The class or function that ``_target_`` names, or None."""
    target = section.get("_target_")
    if not isinstance(target, str | NoneType):
        raise UsageError(f"_target_ must be the dotted name of a class or function, got {target!r}")
    try:
        return None if target is None else _locate(target)
    except (ImportError, ValueError) as error:
        reason = shortened(" ".join(str(error).split()), 200)
        raise UsageError(
            f"_target_: {target} cannot be imported ({reason}); a module of yours is named with "
            "plugins=[...]"
        ) from error


def parameters_of(thing: Any) -> dict[str, Parameter]:
    """The keywords of a class, from its signature and docstring; empty for None."""
    return {} if thing is None else dict(_read(thing))


def model_class(name: str) -> Any:
    """The class of a world model, also by the names of its settings.

    Raises:
        ArmillaryError: there is no such model.
    """
    return plugins.find("model", canonical(name, {})[0]).thing


@cache
def _read(thing: Any) -> Mapping[str, Parameter]:
    try:  # what a dataclass inherits is written in the words of its base's module
        made = thing.__init__ if inspect.isclass(thing) and not is_dataclass(thing) else thing
        hints = get_type_hints(made)
    except (NameError, TypeError):  # names that are only there for the type checker
        hints = {}
    told = reversed(inspect.getmro(thing)) if inspect.isclass(thing) else (thing,)
    texts = {
        name: " ".join(text.split())
        for holder in told
        for name, text in _ENTRY.findall(inspect.getdoc(holder) or "")
    }
    return {
        name: Parameter(one.default, hints.get(name, Any), texts.get(name, ""))
        for name, one in inspect.signature(thing).parameters.items()
        if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)
    }


def annotation_of(default: Any) -> Any:
    """The kind of an option that only its default value tells."""
    return Any if default is None else type(default)


def checked(key: str, value: Any, annotation: Any, text: str, example: Any = None) -> Any:
    """A value as its option takes it: a number where it is real, a text where it is a text.

    Args:
        key: of the option, for messages.
        value: as Hydra's grammar reads it.
        annotation: what is wanted; nothing is checked that a configuration cannot say.
        text: the value as it was written: ``2026`` may be the name of a file.
        example: shown in messages.

    Raises:
        UsageError: it is of another kind.
    """
    kinds = [kind for kind in map(_plain, _alternatives(annotation)) if kind is not None]
    if not kinds or (isinstance(value, dict) and "_target_" in value):
        return value
    for kind in kinds:
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is kind:
            return value
    if str in kinds and isinstance(value, int | float):
        return text
    wanted = " or ".join(_NAMES.get(kind, "null") for kind in kinds)
    given = "null" if value is None else shortened(repr(value), 80)
    such = "" if example is None else f" such as {example!r}"
    raise UsageError(f"{key} must be {wanted}{such}, got {given}")


def _alternatives(annotation: Any) -> Sequence[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return get_args(annotation)
    return (annotation,)


def _plain(annotation: Any) -> type | None:
    """What YAML calls it; None where anything goes."""
    origin = get_origin(annotation) or annotation
    if origin is Literal:
        return type(get_args(annotation)[0])
    if origin in (bool, int, float, str, NoneType):
        return origin
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return dict
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        return list
    return None
