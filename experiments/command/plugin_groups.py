"""Registered names as choices of configuration groups: what needs no YAML has none."""

from __future__ import annotations

import inspect
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from armillary import plugins
from armillary.envs.registration import task_id
from armillary.experiments.command.verbs import CONF
from armillary.kinds import GROUPS
from armillary.plugins import Entry

_OBJECTIVE = "armillary.planners.objective"


def offer(group: str) -> None:
    """Makes every registered name of a group a choice, ours and plug-ins', where no YAML is it."""
    folders = (CONF, *plugins.config_dirs())
    for kind, its_group in GROUPS.items():
        if its_group != group:
            continue
        for name, entry in plugins.registered(kind).items():
            ours = kind == "cost" and not entry.plugin  # a cost of ours is a term of objectives
            if not ours and not any(
                (folder / group / f"{name}.yaml").is_file() for folder in folders
            ):
                content = _NODES[kind](name, entry)
                ConfigStore.instance().store(name, content, group, provider=entry.plugin or "ours")


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
