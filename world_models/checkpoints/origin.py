"""Which plug-in the model of a checkpoint comes from: written down, and asked for when it loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from armillary import plugins
from armillary.world_models.checkpoints.locate import CheckpointError

_SCRIPT = "__main__"
"""The module of a class that a script defines; no other process can load it by that name."""


def origin_of(name: str) -> dict[str, dict[str, str | None]]:
    """The entry ``plugin`` of a checkpoint's description; none for a model of this project.

    Args:
        name: of a registered model.
    """
    plugin = plugins.find("model", name).plugin
    return {"plugin": plugins.origin(plugin)} if plugin else {}


def check_origin(needed: Mapping[str, str | None] | None, name: str, path: Path) -> None:
    """Checks that a name stands for the model that a checkpoint holds.

    Nothing is imported because the checkpoint says so.

    Args:
        needed: what ``plugins.origin`` said when it was written, None for a model of this project.
        name: of the model.
        path: of the checkpoint, for messages.

    Raises:
        CheckpointError: the plug-in is not loaded, or the name belongs to another one here.
    """
    if needed is None:
        return
    module, models = str(needed["module"]), plugins.registered("model")
    entry = models.get(name)
    present = [entry] if entry else models.values()  # what it lacks, building the model tells
    if (module == _SCRIPT and entry) or _top(module) in [_top(e.plugin) for e in present]:
        return
    found = f"while {entry.path} has that name here" if entry else "which is not loaded"
    install = f"install {needed.get('distribution')} {needed.get('version')}, or "
    remedy = install if needed.get("distribution") else ""
    if module == _SCRIPT:
        remedy += "put the class of your script into a module and name that, plugins=[MODULE]"
    else:
        remedy += f"name its module, plugins=[{module}]"
    raise CheckpointError(
        f"the model {name!r} of {path} needs the plug-in {module!r}, {found}; "
        f"{remedy}{plugins.broken_note()}"
    )


def _top(module: str) -> str:
    return module.partition(".")[0]
