"""What each kind of thing that can be added from outside must be.

========= ====================================================================================
model     a class derived from ``WorldModel``, all its hyperparameters keyword-only
planner   a class with ``optimize`` (``ActionOptimizer``); settings are keywords with defaults
cost      a function ``(rollout, goal) -> (B, S, P, T)``, or a class whose instances are one
reduction a function ``(..., T) -> (...)``, or a class that a number makes into one (``NAME:0.2``)
task      a ``gymnasium.Env`` class with ``settings``, a dictionary: what a YAML in ``conf/task``
          would say but for ``name`` and ``environment.id``. A YAML in the plug-in's own
          ``conf/task``, for any environment that Gymnasium can make, does as well
goal      a class with ``read`` and ``own_problem`` (``GoalReader``), settings with defaults
source    a dataclass derived from ``Source``, all its settings but ``path`` with defaults
metric    a function ``(pred, true) -> values``: imagined frames (N, R, T, 3, H, W) and true ones
          (N, 1, T, 3, H, W), float32 in [0, 1], to (N, R, T); an object with attributes
          ``label``, ``unit``, ``digits`` and ``higher_is_better``
section   a function ``(directory, verb, results) -> str | None`` of a run's folder, its verb and
          what its ``results.json`` holds: text, or HTML in a ``markupsafe.Markup``, for a section
          of the report; None where it has nothing to say
========= ====================================================================================
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from armillary.errors import PluginError

_MEMBERS: dict[str, tuple[str, ...]] = {
    "model": (),
    "planner": ("optimize",),
    "cost": ("__call__",),
    "reduction": ("__call__",),
    "task": ("reset", "step", "settings"),
    "goal": ("read", "own_problem"),
    "source": (),
    "metric": ("label", "unit", "digits", "higher_is_better", "__call__"),
    "section": ("__call__",),
}
"""What a thing of each kind must have; ``_BASES`` say it for those that derive from a class."""
_BASES = {
    "model": ("armillary.world_models.model", "WorldModel"),
    "source": ("armillary.world_models.data.sources.source", "Source"),
}
GROUPS = {
    "model": "model",
    "planner": "planner",
    "cost": "objective",
    "task": "task",
    "goal": "goal",
    "source": "source",
}
"""The configuration group whose choices the names of a kind are."""
_CLASSES = ("model", "planner", "task", "goal", "source")
KINDS = tuple(_MEMBERS)


class SignatureError(PluginError, TypeError):
    """A model's ``__init__`` has parameters that no checkpoint could name."""


def check(kind: str, name: str, thing: Any) -> None:
    """Raises PluginError unless a thing has what its kind needs."""
    members, base = _MEMBERS[kind], None
    if kind in _BASES:
        module, base_name = _BASES[kind]
        base = getattr(importlib.import_module(module), base_name)
        members = sorted(base.__abstractmethods__)
    missing = [member for member in members if not _has(thing, member)]
    if missing:
        lacks = " and ".join([f"`{member}`" for member in missing])
        raise PluginError(f"the {kind} {name!r} lacks {lacks}, which its contract needs")
    if kind in _CLASSES and not inspect.isclass(thing):
        raise PluginError(f"the {kind} {name!r} must be a class, got {type(thing).__name__}")
    if base is not None and not issubclass(thing, base):
        raise PluginError(f"the {kind} {name!r} must derive from {base.__module__}.{base.__name__}")
    for parameter in inspect.signature(thing).parameters.values() if kind == "model" else ():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise SignatureError(
                f"{thing.__module__}.{thing.__qualname__}.__init__ must take keyword-only "
                f"hyperparameters, got {parameter.kind.description} parameter {parameter.name!r}"
            )


def _has(thing: Any, member: str) -> bool:
    """Whether a thing, or an instance of it where it is a class, has a member that is no stub."""
    holders = inspect.getmro(thing) if inspect.isclass(thing) else (thing, *type(thing).__mro__)
    found = next((vars(h)[member] for h in holders if member in getattr(h, "__dict__", {})), None)
    return found is not None and not getattr(found, "__isabstractmethod__", False)
