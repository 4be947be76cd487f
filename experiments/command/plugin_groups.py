"""What plug-ins add to the configuration: choices of its groups, from their names and YAMLs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from armillary import plugins
from armillary.envs.registration import task_id
from armillary.kinds import GROUPS
from armillary.plugins import Entry

_OBJECTIVE = "armillary.planners.objective"


def prepare(modules: Sequence[str] = ()) -> None:
    """Loads plug-ins and offers every name that they register as a choice of its group.

    A YAML of a plug-in wins over what its registered name would be. Settings that a class gives no
    default stay to be given by the user.

    Args:
        modules: that the user names; the installed ones are loaded too.

    Raises:
        PluginError: one of the named cannot be used.
    """
    plugins.load(modules)
    store = ConfigStore.instance()
    for kind, group in GROUPS.items():
        for name, entry in plugins.registered(kind).items():
            if entry.plugin:
                store.store(name, _NODES[kind](name, entry), group, provider=entry.plugin)


def choices(group: str) -> set[str]:
    """What plug-ins add to a group, ``folder/name`` for a YAML in a subfolder."""
    kinds = [kind for kind, its_group in GROUPS.items() if its_group == group]
    names = {n for kind in kinds for n, e in plugins.registered(kind).items() if e.plugin}
    for folder in plugins.config_dirs():
        root = folder / group
        names |= {p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml")}
    return names


def _model(name: str, entry: Entry) -> dict[str, Any]:
    return {"name": name}


def _built(name: str, entry: Entry) -> dict[str, Any]:
    """Of a class whose settings are keywords."""
    return {"_target_": entry.path}


def _objective(name: str, entry: Entry) -> dict[str, Any]:
    """Of one cost: a class without settings of its own is given as it is, and so is a function."""
    function = {"_target_": "hydra.utils.get_method", "path": entry.path}
    cost = _built(name, entry) if inspect.isclass(entry.thing) else function
    term = {"_target_": f"{_OBJECTIVE}.Term", "weight": 1.0, "cost": cost}
    return {"_target_": f"{_OBJECTIVE}.Objective", "terms": {name: term}}


def _task(name: str, entry: Entry) -> dict[str, Any]:
    """The settings on the environment's class, with what follows from its name."""
    own = {"name": name, "environment": {"id": task_id(entry.plugin, name)}}
    merged = OmegaConf.to_container(OmegaConf.merge({"recording": {}}, entry.thing.settings, own))
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


_NODES = {
    "model": _model,
    "planner": _built,
    "cost": _objective,
    "task": _task,
    "goal": _built,
    "source": _built,
}
