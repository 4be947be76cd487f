"""World models by name: register a class, build it from JSON-able hyperparameters."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import armillary.world_models
from armillary.suggestions import suggest
from armillary.world_models.model import WorldModel

Model = TypeVar("Model", bound=type[WorldModel])

_MODELS: dict[str, type[WorldModel]] = {}


def register_model(name: str) -> Callable[[Model], Model]:
    """Class decorator: makes a ``WorldModel`` available to ``build_model`` under ``name``.

    The class takes all its hyperparameters as keywords, so that a checkpoint can name them.

    Raises:
        ValueError: another class holds the name.
        TypeError: ``__init__`` has positional or variadic parameters.
    """

    def decorate(model_class: Model) -> Model:
        holder = _MODELS.get(name, model_class)
        if _path(holder) != _path(model_class):
            raise ValueError(f"the model name {name!r} is taken by {_path(holder)}")
        for parameter in inspect.signature(model_class).parameters.values():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(
                    f"{_path(model_class)}.__init__ must take keyword-only hyperparameters, "
                    f"got {parameter.kind.description} parameter {parameter.name!r}"
                )
        _MODELS[name] = model_class
        return model_class

    return decorate


def available_models() -> tuple[str, ...]:
    """The names that ``build_model`` knows, sorted."""
    _import_models()
    return tuple(sorted(_MODELS))


def build_model(name: str, /, **hyperparameters: Any) -> WorldModel:
    """Builds a registered model and records on it how to build it again (see ``model_config``).

    Args:
        name: one of ``available_models()``.
        **hyperparameters: passed to the class after they are checked against its signature;
            anything that JSON can hold (tuples become lists).

    Raises:
        ValueError: the name is unknown, or hyperparameters are unknown, missing or not JSON-able.
    """
    _import_models()
    if name not in _MODELS:
        raise ValueError(f"unknown world model {name!r}; {suggest(name, _MODELS)}")
    resolved = _resolve(name, hyperparameters)
    model = _MODELS[name](**resolved)
    # Around nn.Module, which types attributes as tensors and modules only.
    object.__setattr__(model, "config", {"name": name, "hyperparameters": resolved})
    return model


def model_config(model: WorldModel) -> dict[str, Any]:
    """How to build a model again: ``{"name": ..., "hyperparameters": {...}}``, with all defaults.

    Raises:
        ValueError: the model was not built by ``build_model``.
    """
    config = model.__dict__.get("config")
    if config is None:
        raise ValueError(
            f"this {type(model).__name__} was constructed directly, so how to rebuild it is not "
            "known; construct it with build_model(name, **hyperparameters)"
        )
    return config


def _path(model_class: type[WorldModel]) -> str:
    return f"{model_class.__module__}.{model_class.__qualname__}"


def _resolve(name: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Checks hyperparameters against the class, fills in defaults, brings them to JSON's types."""
    parameters = inspect.signature(_MODELS[name]).parameters
    unknown = [key for key in hyperparameters if key not in parameters]
    if unknown:
        raise ValueError(
            f"unknown hyperparameter {unknown[0]!r} of world model {name!r}; "
            f"{suggest(unknown[0], parameters)}"
        )
    defaults = {
        key: value.default
        for key, value in parameters.items()
        if value.default is not inspect.Parameter.empty
    }
    missing = [key for key in parameters if key not in {**defaults, **hyperparameters}]
    if missing:
        raise ValueError(
            f"world model {name!r} needs {', '.join(missing)}; "
            f"its hyperparameters are {', '.join(parameters)}"
        )
    try:
        return json.loads(json.dumps({**defaults, **hyperparameters}, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"hyperparameters of world model {name!r} must be JSON-able "
            f"(finite numbers, strings, booleans, lists, dictionaries): {error}"
        ) from error


@cache
def _import_models() -> None:
    """Imports every module of the package once, so that a new model is one new file."""
    for module in pkgutil.iter_modules(armillary.world_models.__path__):
        if not module.ispkg:
            importlib.import_module(f"{armillary.world_models.__name__}.{module.name}")
