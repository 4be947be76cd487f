"""What can be added from outside: a table of names for each kind of thing, and how it is filled.

A plug-in is a module. Importing it registers what it adds with ``register``; the folder ``conf`` of
one that is a package, if it has one, holds YAMLs by configuration group. It is loaded because it is
installed (entry-point group ``armillary``, whose values name modules) or because a user names it
(``plugins=[my_pack]``, ``load(["my_pack"])``); nothing else is ever imported, least of all because
a checkpoint asks for it. What this project brings itself is registered in the same way. ``kinds``
says what each kind must be.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import multiprocessing
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from pathlib import Path
from typing import Any, TypeVar

from armillary.envs.registration import register_task
from armillary.errors import ArmillaryError, PluginError, shortened
from armillary.kinds import GROUPS, KINDS, check
from armillary.suggestions import suggest

GROUP = "armillary"
VARIABLE = "ARMILLARY_PLUGINS"
"""Modules that were named, with commas between them: processes that are started load them too."""

_BUILT_IN = {
    "model": ("armillary.world_models", "armillary.world_models.monolithic"),
    "planner": ("armillary.planners", "armillary.planners.states", "armillary.planners.proposals"),
    "cost": ("armillary.planners.costs",),
    "reduction": ("armillary.planners.reductions",),
    "goal": ("armillary.world_models.goals",),
    "source": ("armillary.world_models.data.sources",),
}
"""Where this project's own things of a kind are: modules, and packages whose modules all count."""

_CONF = Path(__file__).parent / "experiments" / "conf"
_LONGEST = 300
"""Characters of somebody else's message."""

Thing = TypeVar("Thing")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """Something that a name stands for.

    Attributes:
        thing: what was registered.
        path: where it is defined: what a configuration's ``_target_`` says.
        plugin: the module to load for it; empty for what belongs to this project.
    """

    thing: Any
    path: str
    plugin: str


_TABLES: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
_LOADED: dict[str, Path | None] = {}
_LOADING: list[str] = []
_BROKEN: dict[str, PluginError] = {}


def register(kind: str, name: str, *, by: str = "") -> Callable[[Thing], Thing]:
    """Decorator: makes a class, a function or an object available under a name.

    Args:
        kind: one of ``kinds.KINDS``.
        name: as users write it.
        by: the module that registers; the caller's by default.

    Raises:
        PluginError: there is no such kind, the name is none or something else holds it, or a member
            is missing.
    """
    if kind not in KINDS:
        raise PluginError(f"unknown kind of plug-in {kind!r}; {suggest(kind, KINDS)}")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise PluginError(f"a {kind} is named with letters, digits and _ . -, got {name!r}")
    module = by or sys._getframe(1).f_globals["__name__"]
    plugin = "" if module.split(".")[0] == "armillary" else [module, *_LOADING][-1]

    def decorate(thing: Thing) -> Thing:
        its: Any = thing
        defined = inspect.isclass(thing) or inspect.isroutine(thing)
        path = f"{its.__module__}.{its.__qualname__}" if defined else f"{module}:{name}"
        holder = _TABLES[kind].get(name)
        if holder is not None and holder.path != path:
            raise PluginError(f"the {kind} name {name!r} is taken by {holder.path}")
        check(kind, name, thing)
        _TABLES[kind][name] = Entry(thing, path, plugin)
        if kind == "task":
            register_task(plugin, name, its)
        return thing

    return decorate


def registered(kind: str) -> dict[str, Entry]:
    """Everything of a kind by name: ours, that of installed plug-ins and of named ones."""
    _import_built_in(kind)
    load()
    return dict(_TABLES[kind])


def find(kind: str, name: str) -> Entry:
    """What a name stands for; plug-ins are loaded only for a name that is not ours.

    Raises:
        ArmillaryError: there is none; the message says which plug-in is broken, if one is.
    """
    _import_built_in(kind)
    if name not in _TABLES[kind]:
        load()
    if name not in _TABLES[kind]:
        raise ArmillaryError(
            f"unknown {kind} {name!r}; {suggest(name, _TABLES[kind])}{broken_note()}"
        ) from next(iter(_BROKEN.values()), None)
    return _TABLES[kind][name]


def load(modules: Sequence[str] | str = ()) -> None:
    """Imports the named modules, then those of ``ARMILLARY_PLUGINS`` and the installed plug-ins.

    Each is imported once. Processes that this one starts load the named ones too. An installed
    plug-in that cannot be imported is told in a warning, and again where a name is missing.

    Args:
        modules: as Python imports them, from ``sys.path`` or else the working directory.

    Raises:
        PluginError: a named one cannot be imported; the message says which and why.
    """
    several = isinstance(modules, Sequence) and not isinstance(modules, str)
    named = [str(module) for module in (modules if several else [modules])]
    inherited = [module for module in os.environ.get(VARIABLE, "").split(",") if module]
    for module in dict.fromkeys([*named, *inherited]):
        _load(module)
    if named:
        os.environ[VARIABLE] = ",".join(dict.fromkeys([*inherited, *named]))
    if _LOADING:  # a plug-in loads another; the installed ones follow at the end
        return
    for module in _installed():
        if module not in _BROKEN:
            try:
                _load(module)
            except PluginError as error:
                _BROKEN[module] = error
                if multiprocessing.parent_process() is None:
                    log.warning("%s; what it provides is missing", error)


def loaded() -> tuple[str, ...]:
    """The modules that were loaded as plug-ins."""
    return tuple(_LOADED)


def config_dirs() -> tuple[Path, ...]:
    """The folders of YAMLs that the loaded plug-ins bring."""
    return tuple(folder for folder in _LOADED.values() if folder is not None)


def broken_note() -> str:
    """What to add to a message about an unknown name: the plug-ins that might have provided it."""
    notes = [f"; {error}" for error in list(_BROKEN.values())[:3]]
    return "".join(notes)


def versions() -> dict[str, str]:
    """The versions of the plug-ins that are loaded, by distribution or module."""
    found = [origin(module) for module in _LOADED]
    return {str(o["distribution"] or o["module"]): o["version"] or "unknown" for o in found}


def origin(plugin: str) -> dict[str, str | None]:
    """What a plug-in is called: its ``module``, and the ``distribution`` and ``version`` if known.

    Args:
        plugin: a module, as ``Entry.plugin`` names it.
    """
    top = plugin.split(".")[0]
    name = _installed().get(plugin) or next(iter(_distributions().get(top, [])), None)
    try:
        found = None if name is None else version(name)
    except PackageNotFoundError:
        found = None
    return {"module": plugin, "distribution": name, "version": found}


def _load(module: str) -> None:
    """Imports a plug-in; one that fails leaves no names behind."""
    if module in _LOADED or module in _LOADING:
        return
    before = {(kind, name) for kind, table in _TABLES.items() for name in table}
    known = set(sys.modules)
    _LOADING.append(module)
    try:
        _make_importable(module)
        found = importlib.import_module(module)
        folder = next((Path(p, "conf") for p in getattr(found, "__path__", ())), None)
        _check_choices(module, folder)
    except (Exception, SystemExit) as error:
        for name in set(sys.modules) - known:  # so that a second try starts anew
            if name == module or name.startswith(f"{module}."):
                del sys.modules[name]
        for kind, table in _TABLES.items():
            for name in [n for n, entry in table.items() if entry.plugin == module]:
                if (kind, name) not in before:
                    del table[name]
        reason = shortened(" ".join(str(error).split()) or "without a message", _LONGEST)
        what = "" if isinstance(error, PluginError) else f"{type(error).__name__}: "
        raise PluginError(
            f"the plug-in {module!r} cannot be imported: {what}{reason}{_hint(module, error)}"
        ) from error
    finally:
        _LOADING.pop()
    for table in _TABLES.values():  # what was imported before, module by module
        for name, entry in table.items():
            if entry.plugin.startswith(f"{module}."):
                table[name] = replace(entry, plugin=module)
    _LOADED[module] = folder if folder is not None and folder.is_dir() else None
    _BROKEN.pop(module, None)


def _check_choices(module: str, folder: Path | None) -> None:
    """Raises PluginError if a plug-in's YAML or name is a choice of its group already."""
    files = [path.relative_to(folder) for path in folder.rglob("*.yaml")] if folder else []
    names = [
        Path(GROUPS[kind], f"{name}.yaml")
        for kind in GROUPS
        for name, entry in _TABLES[kind].items()
        if entry.plugin == module
    ]
    for path in (*files, *names):
        for root in (_CONF, *config_dirs()):
            if (root / path).is_file():
                choice = f"{path.parent.as_posix()}={path.stem}"
                raise PluginError(f"the choice {choice} is taken by {root / path}")


def _make_importable(module: str) -> None:
    """Lets a module of the working directory be found, after everything that is installed."""
    top, here = module.split(".")[0], Path.cwd()
    if (here / top).is_dir() or (here / f"{top}.py").is_file():
        known = top in sys.modules or (top.isidentifier() and importlib.util.find_spec(top))
        if not known and str(here) not in sys.path:
            sys.path.append(str(here))


def _hint(module: str, error: BaseException) -> str:
    """What to write instead of a path, or of a module that is not there."""
    if not all(part.isidentifier() for part in module.split(".")) or module.endswith(".py"):
        return "; name a module as Python imports it: my_pack for a file my_pack.py"
    if isinstance(error, ModuleNotFoundError) and error.name == module.split(".")[0]:
        return "; install it, or put its folder on PYTHONPATH"
    return ""


@cache
def _import_built_in(kind: str) -> None:
    """Imports this project's own modules of a kind once, so that a new thing is one new file."""
    for place in _BUILT_IN.get(kind, ()):
        found = importlib.import_module(place)
        for module in pkgutil.iter_modules(getattr(found, "__path__", ())):
            if not module.ispkg:
                importlib.import_module(f"{found.__name__}.{module.name}")


@cache
def _installed() -> dict[str, str | None]:
    """The modules that installed distributions name as plug-ins, and those distributions."""
    points = entry_points(group=GROUP)
    return {
        point.value.partition(":")[0].strip(): point.dist.name if point.dist else None
        for point in points
    }


_distributions = cache(packages_distributions)
