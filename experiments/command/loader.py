"""Composes the configuration of a verb; a Hydra loader, so that sweeps and launchers use it too."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from armillary import plugins
from armillary.errors import shortened
from armillary.experiments.command import experiments, plugin_groups
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.sections import assign, check_sections, fill
from armillary.experiments.command.verbs import (
    CONF_MODULE,
    POSITIONAL,
    groups_of,
    options_of,
    positional_of,
    verbs,
)
from armillary.experiments.command.words import parsed
from armillary.suggestions import suggest

PLUGINS = "plugins"


class Loader(ConfigLoaderImpl):
    """Loads what the YAML files say, then defaults of classes, then what the words set.

    Args:
        folder: of a user's own YAMLs by group (``--config-dir``).

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        setup_globals()
        path = create_config_search_path(f"pkg://{CONF_MODULE}")
        if folder is not None:
            where = Path(folder).expanduser().absolute()
            if not where.is_dir():
                raise UsageError(f"--config-dir {folder}: there is no such folder")
            path.prepend("command-line", f"file://{where}", SearchPathQuery(provider="schema"))
        super().__init__(path)

    def compose(self, verb: str, words: Sequence[str]) -> DictConfig:
        """The configuration of a verb, with ``choices``: what every group is set to.

        A group that is not chosen takes what the task recommends for it, where it does.

        Args:
            verb: one of ``verbs()``.
            words: ``key=value``, ``group=choice``, ``+key=value``, ``~key`` in Hydra's grammar, or
                values of the keys that the verb takes by position.

        Raises:
            UsageError: a word cannot be read, or a key, a choice or a value's type is wrong.
        """
        config = self.with_hydra(verb, words)
        with open_dict(config):
            del config["hydra"]
        return config

    def with_hydra(self, verb: str, words: Sequence[str]) -> DictConfig:
        """The same with Hydra's own section ``hydra``."""
        JobRuntime.instance().set("name", verb)
        return self._compose(verb, _read(verb, words))

    def choices(self, verb: str, group: str, words: Sequence[str] = ()) -> list[str]:
        """What a verb's group can be set to."""
        repository = self._prepared(verb, _read(verb, words))[0]
        return choices_of(repository, verb, group)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """For Hydra's sweepers and launchers: of a job, or of the sweep itself (``MULTIRUN``)."""
        assert config_name is not None
        if run_mode is RunMode.MULTIRUN:
            return self._compose(config_name, _read(config_name, overrides))
        try:
            config = self._compose(config_name, _read(config_name, overrides))
            require(config)
        except UsageError as error:
            own = [line for line in overrides if not line.startswith(("hydra.", "hydra/"))]
            raise UsageError(f"the job {' '.join(own)}: {error}") from error
        return config

    def _compose(self, verb: str, words: Sequence[Override]) -> DictConfig:
        repository, words = self._prepared(verb, words)
        loaded = [
            w for w in words if w.is_hydra_override() or repository.group_exists(w.key_or_group)
        ]
        values = [word for word in words if word not in loaded]
        lines = [_line(verb, word, repository) for word in loaded]
        try:
            config = self._load(verb, lines)
            recommended = OmegaConf.select(config, "task.recommended") or {}
            chosen = {word.key_or_group for word in loaded}
            more = {
                g: c for g, c in recommended.items() if g in groups_of(verb) and g not in chosen
            }
            if more:
                config = self._load(verb, [*lines, *(f"{g}={c}" for g, c in more.items())])
            _check_poses_problem(verb, config, bool(recommended))
            fill(config)
            check_sections(config, verb)
            for word in values:
                assign(verb, config, word)
        except (HydraException, OmegaConfBaseException) as error:
            raise UsageError(_reason(error)) from error
        with open_dict(config):
            config["choices"] = _used(verb, config, loaded)
            config[PLUGINS] = sorted(plugins.loaded())
        config.hydra.overrides.task = [str(word.input_line) for word in words]
        return config

    def _load(self, verb: str, lines: Sequence[str]) -> DictConfig:
        """What the YAML files say."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                config = super()._load_configuration_impl(verb, list(lines), RunMode.RUN)
            except UserWarning as warning:  # a folder of the search path that is not there
                raise UsageError(f"hydra.searchpath: {warning}") from warning
        OmegaConf.set_struct(config, False)
        config.pop(POSITIONAL, None)
        return config

    def _prepared(
        self, verb: str, words: Sequence[Override]
    ) -> tuple[IConfigRepository, list[Override]]:
        """Loads plug-ins; returns where choices are looked up, and the words that are left."""
        named = [word.value() for word in words if word.key_or_group == PLUGINS]
        plugins.load(named[-1] if named else ())
        path = self.config_search_path
        known = {element.path for element in path.get_path()}
        for folder in plugins.config_dirs():
            if f"file://{folder}" not in known:
                path.prepend("plug-in", f"file://{folder}", SearchPathQuery(provider="schema"))
        self.repository.initialize_sources(path)
        for group in groups_of(verb):
            plugin_groups.offer(group)
        rest = [word for word in words if word.key_or_group != PLUGINS]
        hydra = [str(word.input_line) for word in rest if word.is_hydra_override()]
        return self._parse_overrides_and_create_caching_repo(verb, hydra)[1], rest


def _read(verb: str, words: Sequence[str]) -> list[Override]:
    return parsed(verb, positional_of(verb), words)


def require(config: DictConfig) -> None:
    """Raises UsageError if a value that has no default was not given, or the seed is negative."""
    missing = sorted(key for key in OmegaConf.missing_keys(config) if not key.startswith("hydra"))
    if missing:
        raise UsageError(f"{missing[0]} is required: add {missing[0]}=...")
    if config.seed < 0:
        raise UsageError(f"seed must be at least 0, got {config.seed}")


def choices_of(repository: IConfigRepository, verb: str, group: str) -> list[str]:
    """What a group of a verb can be set to, ``push_blocks/slot_dynamics`` in a subfolder."""

    def every(name: str) -> list[str]:
        plugin_groups.offer(name)
        return _below(repository, name)

    if group == experiments.GROUP:
        return experiments.listed(verb, verbs(), every)
    return every(group)


def _below(repository: IConfigRepository, group: str) -> list[str]:
    found = repository.get_group_options(group, ObjectType.CONFIG)
    for folder in repository.get_group_options(group, ObjectType.GROUP):
        found += [f"{folder}/{name}" for name in _below(repository, f"{group}/{folder}")]
    return sorted(found)


def _line(verb: str, word: Override, repository: IConfigRepository) -> str:
    """What Hydra is told of a word that chooses: files and composed experiments as choices."""
    group, choice = word.key_or_group, word.value()
    if word.is_hydra_override() or word.is_delete() or not isinstance(choice, str | int | float):
        return str(word.input_line)
    plain = not (word.is_add() or word.is_force_add())
    if plain and group not in groups_of(verb):
        raise UsageError(f"{verb} has no option {group!r}; {suggest(group, groups_of(verb))}")
    choice = str(choice)
    if choice.endswith((".yaml", ".yml")):
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
    loaded = repository.load_config(f"dataset/{parts.dataset}")
    assert loaded is not None
    dataset = OmegaConf.to_container(loaded.config)
    assert isinstance(dataset, dict)
    folder, _, leaf = f"{experiments.GROUP}/{verb}/{name}".rpartition("/")
    content = experiments.node(verb, parts, {str(k): v for k, v in dataset.items()}, choices)
    ConfigStore.instance().store(leaf, content, folder, "_global_", provider="composed")
    return f"{verb}/{name}"


def _file(group: str, path: str) -> str:
    """A user's own YAML as a choice of a group.

    Raises:
        UsageError: it is missing, or no YAML of keys and values.
    """
    where = Path(path).expanduser()
    try:
        text = where.read_text(encoding="utf-8")
        content = OmegaConf.create(text)
    except OSError as error:
        raise UsageError(f"{group}={path}: there is no such file ({error.strerror})") from error
    except (UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise UsageError(f"{group}={path} is no YAML: {_reason(error)}") from error
    if not isinstance(content, DictConfig):
        raise UsageError(f"{group}={path} must hold keys and values")
    whole = "_global_" if group in (experiments.GROUP, "curriculum", "protocol", "size") else None
    package = ConfigSource._get_header_dict(text).get("package", whole)
    name = f"{where.stem}-{sha256(str(where.absolute()).encode()).hexdigest()[:8]}"
    ConfigStore.instance().store(name, content, group, package, provider="file")
    return name


def _check_poses_problem(verb: str, config: DictConfig, recommended: bool) -> None:
    """Raises UsageError if problems are to be planned in a task that poses none."""
    if "task" in groups_of(verb) and "horizon" in options_of(verb) and not recommended:
        raise UsageError(
            f"task {config.task.name} poses no planning problem: it recommends no search "
            "(task.recommended); choose another task"
        )


def _used(verb: str, config: DictConfig, loaded: Sequence[Override]) -> dict[str, Any]:
    """What every group is set to, as users name it."""
    made = config.hydra.runtime.choices
    groups = dict.fromkeys([*groups_of(verb), *(w.key_or_group for w in loaded)])
    named = {word.key_or_group: word.value() for word in loaded}
    used = {group: named.get(group, made.get(group)) for group in groups if "/" not in group}
    return {
        group: choice.removeprefix(f"{verb}/") if isinstance(choice, str) else choice
        for group, choice in used.items()
        if not group.startswith("hydra")
    }


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return shortened(" ".join(lines[:2]), 300) if lines else type(error).__name__
