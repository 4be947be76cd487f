"""What groups can be set to: YAMLs, registered names, files by their path, composed experiments."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigSource
from omegaconf import OmegaConf

from armillary import plugins
from armillary.envs.registration import task_id
from armillary.errors import shortened
from armillary.experiments.command import experiments
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.sections import MODEL
from armillary.experiments.command.verbs import CONF, groups_of, parsed, verbs
from armillary.experiments.command.yaml_text import read
from armillary.kinds import GROUPS
from armillary.plugins import Entry
from armillary.suggestions import suggest
from armillary.world_models.registry import SETTINGS

_YAML = (".yaml", ".yml")
_PARTS = ("dataset", "protocol", "model")


def choices_of(repository: IConfigRepository, verb: str, group: str) -> list[str]:
    """What a group of a verb can be set to, ``push_blocks/slot_dynamics`` in a subfolder."""

    def every(name: str) -> list[str]:
        offer(name)
        return _below(repository, name)

    if group == experiments.GROUP:
        return experiments.listed(verb, verbs(), every)
    return every(group)


def _below(repository: IConfigRepository, group: str) -> list[str]:
    options = repository.get_group_options(group, ObjectType.CONFIG)
    found = [name for name in options if not name.startswith("_")]  # not files given by path
    for folder in repository.get_group_options(group, ObjectType.GROUP):
        found += [f"{folder}/{name}" for name in _below(repository, f"{group}/{folder}")]
    return sorted(found)


def chosen(verb: str, word: Override, repository: IConfigRepository) -> str:
    """What Hydra is told of a word that chooses: files and composed experiments as choices."""
    group, choice = word.key_or_group, word.value()
    if word.is_hydra_override() or word.is_delete() or not isinstance(choice, str | int | float):
        return str(word.input_line)
    plain = not (word.is_add() or word.is_force_add())
    if plain and group not in groups_of(verb):
        raise UsageError(f"{verb} has no option {group!r}; {suggest(group, groups_of(verb))}")
    choice = str(choice)
    if choice.endswith(_YAML):
        resolved = _file(group, choice)
    elif group == experiments.GROUP:
        resolved = _experiment(verb, choice, repository)
    else:
        valid = choices_of(repository, verb, group)
        if choice not in valid:
            raise UsageError(
                f"unknown {group} {choice!r}; {suggest(choice, valid)}{plugins.broken_note()}"
            )
        resolved = choice
    return f"{str(word.input_line).partition('=')[0]}={resolved}"


def _experiment(verb: str, name: str, repository: IConfigRepository) -> str:
    """The choice that an experiment's name stands for; a composed one is made."""
    for choice in (f"{verb}/{name}", name):
        if repository.config_exists(f"{experiments.GROUP}/{choice}"):
            return choice

    def choices(group: str) -> list[str]:
        return choices_of(repository, verb, group)

    parts = experiments.parts_of(verb, name, choices)
    if parts is None:
        valid = choices(experiments.GROUP)
        raise UsageError(f"unknown {experiments.GROUP} {name!r}; {suggest(name, valid)}")
    _store_experiment(verb, name, parts, repository)
    return f"{verb}/{name}"


def with_experiment(
    verb: str, words: Sequence[Override], repository: IConfigRepository
) -> list[Override]:
    """The words, ``dataset=D protocol=P model=M`` as the experiment that they name."""
    given = {word.key_or_group: word for word in words}
    if "dataset" not in given or experiments.GROUP not in groups_of(verb):
        return list(words)
    if experiments.GROUP in given:
        raise UsageError("give an experiment or a dataset, not both")
    values = {
        key: str(given[key].value()) for key in ("dataset", "protocol", "model") if key in given
    }
    wanted = ("dataset", "model") if verb == experiments.TRAIN else ("dataset", "protocol")
    for key in wanted:
        if key not in values:
            raise UsageError(f"{verb} dataset={values['dataset']} needs {key}=... beside it")
    for key, value in values.items():
        valid = choices_of(repository, verb, key)
        if key == "protocol":
            valid = experiments.protocols(verb, lambda group: choices_of(repository, verb, group))
        if value not in valid and not value.endswith(_YAML):
            raise UsageError(f"unknown {key} {value!r}; {suggest(value, valid)}")
    dataset = values["dataset"]
    if dataset.endswith(_YAML):
        dataset = _file("dataset", dataset)
    model = Path(values.get("model", "")).stem
    parts = experiments.Parts(dataset, values.get("protocol", ""), model)
    name = "/".join(filter(None, ["_", *dataclasses.astuple(parts)]))
    _store_experiment(verb, name, parts, repository)
    own_model = verb == experiments.TRAIN and values["model"].endswith(_YAML)
    consumed = {"dataset", "protocol", *([] if own_model else ["model"])}
    rest = [word for word in words if word.key_or_group not in consumed]
    return [*parsed(verb, (), [f"{experiments.GROUP}={name}"]), *rest]


def _store_experiment(
    verb: str, name: str, parts: experiments.Parts, repository: IConfigRepository
) -> None:
    """Makes a composed experiment a choice of its group."""
    loaded = repository.load_config(f"dataset/{parts.dataset}")
    assert loaded is not None
    dataset = OmegaConf.to_container(loaded.config)
    if not isinstance(dataset, dict) or (verb == experiments.TRAIN and "curriculum" not in dataset):
        raise UsageError(
            f"the data set {parts.dataset} must name its curriculum: curriculum: small"
        )
    content = experiments.node(
        verb,
        parts,
        {str(key): value for key, value in dataset.items()},
        lambda group: choices_of(repository, verb, group),
    )
    folder, _, leaf = f"{experiments.GROUP}/{verb}/{name}".rpartition("/")
    ConfigStore.instance().store(leaf, content, folder, "_global_", provider="composed")


def _file(group: str, path: str) -> str:
    """A user's own YAML as a choice of a group.

    Raises:
        UsageError: it is missing, or no YAML of keys and values.
    """
    where = Path(path).expanduser()
    if not where.is_file():
        raise UsageError(f"{group}={path}: there is no such file")
    content, text = read(where, f"{group}={path}")
    whole = "_global_" if group in (experiments.GROUP, "curriculum", "protocol", "size") else None
    package = ConfigSource._get_header_dict(text)["package"] or whole
    name = f"_{where.stem}-{sha256(str(where.absolute()).encode()).hexdigest()[:8]}"
    ConfigStore.instance().store(name, content, group, package, provider="file")
    return name


def reason(error: Exception) -> str:
    """The first lines of somebody else's message, as one."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return shortened(" ".join(lines[:2]), 300) if lines else type(error).__name__


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
    if group == MODEL:
        _offer_settings()


def _offer_settings() -> None:
    """Makes the names of models' settings choices, at every size that the model has."""
    sizes = [path.name for path in (CONF / MODEL).iterdir() if path.is_dir()]
    for name, (model, settings) in SETTINGS.items():
        for place in ("", *(f"{size}/" for size in sizes)):
            ConfigStore.instance().store(
                name,
                {"defaults": [f"{place}{model}", "_self_"], **settings},
                f"{MODEL}/{place}".rstrip("/"),
                package=MODEL if place else None,
                provider="ours",
            )


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
