"""What can be added from outside: a table of names for each kind of thing, and how it is filled.

A plug-in is a module. Importing it registers what it adds with the decorator ``register``; a folder
``conf`` beside it, if there is one, holds YAMLs by configuration group. It is loaded because it is
installed (entry-point group ``armillary``) or because a user names it (``plugins=[my_pack]``);
nothing else is ever imported, least of all because a checkpoint asks for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

GROUP = "armillary"
KINDS = (
    "model",
    "planner",
    "cost",
    "reduction",
    "task",
    "goal",
    "source",
    "metric",
    "section",
)

Thing = TypeVar("Thing")


class PluginError(ArmillaryError):
    """A plug-in cannot be imported, takes a name that is taken, or lacks what its kind needs."""


@dataclass(frozen=True)
class Entry:
    """Something that a name stands for.

    Attributes:
        thing: what was decorated.
        plugin: the module that was loaded as a plug-in when it was registered; empty for ours.
    """

    thing: Any
    plugin: str


_TABLES: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
_LOADED: dict[str, Path | None] = {}
_LOADING: list[str] = []


def register(kind: str, name: str) -> Callable[[Thing], Thing]:
    """Decorator: makes a class or function available under a name, in the kind's group.

    Args:
        kind: one of ``KINDS``.
        name: as users write it.

    Raises:
        PluginError: there is no such kind, or something else holds the name.
    """
    if kind not in KINDS:
        raise PluginError(f"unknown kind of plug-in {kind!r}; {suggest(kind, KINDS)}")

    def decorate(thing: Thing) -> Thing:
        holder = _TABLES[kind].get(name)
        if holder is not None and _path(holder.thing) != _path(thing):
            raise PluginError(f"the {kind} name {name!r} is taken by {_path(holder.thing)}")
        _TABLES[kind][name] = Entry(thing, _LOADING[-1] if _LOADING else "")
        return thing

    return decorate


def registered(kind: str) -> dict[str, Entry]:
    """Everything of a kind by name, as far as its modules were imported."""
    return dict(_TABLES[kind])


def load(modules: Sequence[str] = ()) -> None:
    """Imports the installed plug-ins and the named modules, each once.

    Raises:
        PluginError: one cannot be imported; the message says which and why.
    """
    for name in [*(entry.value for entry in entry_points(group=GROUP)), *modules]:
        if name in _LOADED:
            continue
        _LOADING.append(name)
        try:
            module = importlib.import_module(name)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f"the plug-in {name!r} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        finally:
            _LOADING.pop()
        folder = Path(module.__file__).parent / "conf" if module.__file__ else None
        _LOADED[name] = folder if folder is not None and folder.is_dir() else None


def config_dirs() -> tuple[Path, ...]:
    """The folders of YAMLs that the loaded plug-ins bring."""
    return tuple(folder for folder in _LOADED.values() if folder is not None)


def _path(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
