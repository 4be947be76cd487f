"""World models by name: register a class, build it from JSON-able hyperparameters."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from armillary import plugins
from armillary.errors import ArmillaryError
from armillary.suggestions import listed, suggest

if TYPE_CHECKING:  # models load torch, their registry does not
    from armillary.world_models.model import WorldModel

Model = TypeVar("Model", bound="type[WorldModel]")

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "sdvae_davos": ("sdvae", {"objective": "U"}),
    "vrnn_star": ("vrnn", {"objective": "open_loop"}),
}
"""Names in the literature, and in checkpoints, for settings of a model."""


def register_model(name: str) -> Callable[[Model], Model]:
    """Class decorator: makes a ``WorldModel`` available to ``build_model`` under ``name``.

    The class takes all its hyperparameters as keywords, so that a checkpoint can name them.

    Raises:
        PluginError: another class holds the name, or a method of the contract is missing.
        SignatureError: ``__init__`` has positional or variadic parameters.
    """
    return plugins.register("model", name, by=sys._getframe(1).f_globals["__name__"])


def available_models() -> tuple[str, ...]:
    """The names that ``build_model`` knows, sorted."""
    return tuple(sorted({*plugins.registered("model"), *SETTINGS}))


def build_model(name: str, /, **hyperparameters: Any) -> WorldModel:
    """Builds a registered model and records on it how to build it again (see ``model_config``).

    Args:
        name: one of ``available_models()``.
        **hyperparameters: passed to the class after they are checked against its signature;
            anything that JSON can hold (tuples become lists).

    Raises:
        ArmillaryError: the name is unknown, or hyperparameters are unknown, missing or not
            JSON-able.
    """
    config = resolved_config(name, hyperparameters)
    model = plugins.find("model", config["name"]).thing(**config["hyperparameters"])
    config["hyperparameters"] |= dict.fromkeys(model.starts_from)
    # Around nn.Module, which types attributes as tensors and modules only.
    object.__setattr__(model, "config", config)
    return model


def resolved_config(name: str, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """What ``model_config`` would say of a model of these hyperparameters, which is not built.

    Raises:
        ArmillaryError: see ``build_model``.
    """
    name, hyperparameters = canonical(name, hyperparameters)
    resolved = _resolve(name, plugins.find("model", name).thing, hyperparameters)
    return {"name": name, "hyperparameters": resolved}


def canonical(name: str, hyperparameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model that a name stands for, and its hyperparameters: ``sdvae_davos`` is ``sdvae``."""
    name, settings = SETTINGS.get(name, (name, {}))
    return name, {**settings, **hyperparameters}


def model_config(model: WorldModel) -> dict[str, Any]:
    """How to build a model again: ``{"name": ..., "hyperparameters": {...}}``, with all defaults.

    Raises:
        ArmillaryError: the model was not built by ``build_model``.
    """
    config = model.__dict__.get("config")
    if config is None:
        raise ArmillaryError(
            f"this {type(model).__name__} was constructed directly, so how to rebuild it is not "
            "known; construct it with build_model(name, **hyperparameters)"
        )
    return config


def _resolve(
    name: str, model_class: type[WorldModel], hyperparameters: dict[str, Any]
) -> dict[str, Any]:
    """Checks hyperparameters against the class, fills in defaults, brings them to JSON's types."""
    parameters = inspect.signature(model_class).parameters
    unknown = [key for key in hyperparameters if key not in parameters]
    if unknown:
        raise ArmillaryError(
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
        raise ArmillaryError(
            f"world model {name!r} needs {listed(missing)}; "
            f"its hyperparameters are {listed(parameters)}"
        )
    try:
        return json.loads(json.dumps({**defaults, **hyperparameters}, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ArmillaryError(
            f"hyperparameters of world model {name!r} must be JSON-able "
            f"(finite numbers, strings, booleans, lists, dictionaries): {error}"
        ) from error
