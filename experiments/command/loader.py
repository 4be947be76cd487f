"""Composes the configuration of a verb; a Hydra loader, so that sweeps and launchers use it too."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException
from yaml import YAMLError

from armillary import plugins
from armillary.errors import ArmillaryError
from armillary.experiments.command.choices import choices_of, chosen, offer, reason, with_experiment
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.parameters import target_of
from armillary.experiments.command.sections import assign, check_options, check_sections, fill
from armillary.experiments.command.verbs import (
    CONF_MODULE,
    POSITIONAL,
    groups_of,
    options_of,
    parsed,
    positional_of,
    verbs,
)
from armillary.experiments.command.yaml_text import read

PLUGINS = "plugins"
FOLDER = "command-line"
"""Who brings a user's own folder of YAMLs, as Hydra keeps it."""


class Loader(ConfigLoaderImpl):
    """Loads what the YAML files say, then defaults of classes, then what the words set.

    Args:
        folder: of a user's own YAMLs by group (``--config-dir``).

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        version.setbase("1.3")
        setup_globals()
        path = create_config_search_path(f"pkg://{CONF_MODULE}")
        if folder is not None:
            where = Path(folder).expanduser().absolute()
            if not where.is_dir():
                raise UsageError(f"--config-dir {folder}: there is no such folder")
            path.prepend(FOLDER, f"file://{where}", SearchPathQuery(provider="schema"))
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
        """For Hydra: see ``compose``; with Hydra's own section."""
        assert config_name is not None
        return self._compose(config_name, _read(config_name, overrides))

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """For Hydra's sweepers and launchers: of one job, complete and checked."""
        try:
            config = super().load_sweep_config(master_config, sweep_overrides)
            require(config)
        except UsageError as error:
            raise UsageError(f"the job {' '.join(sweep_overrides)}: {error}") from error
        return config

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """For Hydra's completion: choices in subfolders too."""
        if results_filter is ObjectType.CONFIG and config_name in verbs():
            return self.choices(config_name, group_name)
        return super().get_group_options(group_name, results_filter, config_name, overrides)

    def _compose(self, verb: str, words: Sequence[Override]) -> DictConfig:
        modules = _named_plugins(words)
        repository, words = self._prepared(verb, words)
        words = with_experiment(verb, words, repository)
        own = options_of(verb)  # which come before a group of the same name
        loaded = [
            w
            for w in words
            if w.is_hydra_override()
            or (repository.group_exists(w.key_or_group) and w.key_or_group not in own)
        ]
        values = [word for word in words if word not in loaded]
        lines = [chosen(verb, word, repository) for word in loaded]
        try:
            config = self._load(verb, lines)
            recommended = OmegaConf.select(config, "task.recommended") or {}
            if not isinstance(recommended, Mapping):
                raise UsageError(f"task.recommended must be keys and values, got {recommended!r}")
            left = {*groups_of(verb)} - {word.key_or_group for word in loaded}
            more = [f"{group}={recommended[group]}" for group in recommended if group in left]
            if more:
                config = self._load(verb, [*lines, *more])
            if not recommended:
                _take_own_problem(verb, config)
            fill(config)
            check_sections(config, verb)
            for word in values:
                assign(verb, config, word)
        except (HydraException, OmegaConfBaseException) as error:
            raise UsageError(reason(error)) from error
        with open_dict(config):
            config["choices"] = _used(verb, config, loaded)
            config[PLUGINS] = modules
        config.hydra.overrides.task = [str(word.input_line) for word in words]
        return config

    def _load(self, verb: str, lines: Sequence[str]) -> DictConfig:
        """What the YAML files say."""
        with _folders_there(self.config_search_path):
            config = super()._load_configuration_impl(verb, list(lines), RunMode.RUN)
        OmegaConf.set_struct(config, False)
        config.pop(POSITIONAL, None)
        for group in groups_of(verb):
            if group in config and OmegaConf.is_list(config._get_node(group)):
                choice = config.hydra.runtime.choices.get(group)
                raise UsageError(f"{group}={choice} must hold settings by name, got a list")
        return config

    def _prepared(
        self, verb: str, words: Sequence[Override]
    ) -> tuple[IConfigRepository, list[Override]]:
        """Loads plug-ins; returns where choices are looked up, and the words that are left."""
        plugins.load(_named_plugins(words))
        path = self.config_search_path
        known = {element.path for element in path.get_path()}
        for folder in plugins.config_dirs():
            if f"file://{folder}" not in known:
                path.prepend("plug-in", f"file://{folder}", SearchPathQuery(provider="schema"))
        self.repository.initialize_sources(path)
        for group in groups_of(verb):
            offer(group)
        rest = [word for word in words if word.key_or_group != PLUGINS]
        hydra = [str(word.input_line) for word in rest if word.is_hydra_override()]
        with _folders_there(path):
            repository = self._parse_overrides_and_create_caching_repo(verb, hydra)[1]
        # The store itself instead of Hydra's copy of it, since choices are made on the way.
        vars(repository.get_schema_source())["store"] = ConfigStore.instance()
        return repository, rest


@contextmanager
def _folders_there(path: ConfigSearchPath) -> Iterator[None]:
    """Makes an error of what Hydra says of a folder that is not there, or of a file in one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            yield
        except UserWarning as warning:
            raise UsageError(f"hydra.searchpath: {warning}") from warning
        except ConfigCompositionException as error:  # before there is a configuration
            raise UsageError(reason(error)) from error
        except ArmillaryError:
            raise
        except (YAMLError, RecursionError, ValueError, OSError) as error:
            for folder in path.get_path():
                files = Path((folder.path or "").removeprefix("file://")).rglob("*.yaml")
                for file in files if (folder.path or "").startswith("file://") else ():
                    read(file)  # says which one cannot be read
            raise UsageError(reason(error)) from error


def _named_plugins(words: Sequence[Override]) -> list[str]:
    """The modules that ``plugins=[...]`` names."""
    named = [word.value() for word in words if word.key_or_group == PLUGINS]
    if not named or named[-1] is None:
        return []
    given = named[-1]
    return [str(module) for module in given] if isinstance(given, list) else [str(given)]


def _read(verb: str, words: Sequence[str]) -> list[Override]:
    return parsed(verb, positional_of(verb), words)


def require(config: DictConfig) -> None:
    """Raises UsageError if a value without a default was not given, or one is out of range."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        missing = sorted(OmegaConf.missing_keys(own))
    except InterpolationToMissingValueError as error:
        missing = [str(error).splitlines()[0].rpartition(": ")[2]]
    except OmegaConfBaseException as error:
        raise UsageError(reason(error)) from error
    if missing:
        raise UsageError(f"{missing[0]} is required: add {missing[0]}=...")
    check_options(config)


_OF_OWN_PROBLEMS = {"horizon": 10, "replan_interval": 2}


def _take_own_problem(verb: str, config: DictConfig) -> None:
    """Lets problems of the user's own be planned in a task that poses none.

    Raises:
        UsageError: problems are to be planned, but the goal is to be the task's.
    """
    if "task" not in groups_of(verb) or "horizon" not in options_of(verb):
        return
    if not getattr(target_of(config.goal), "own_problem", False):
        raise UsageError(
            f"task {config.task.name} poses no planning problem: it recommends no search "
            "(task.recommended); say what is wanted with goal=object, or choose another task"
        )
    with open_dict(config.task):
        config.task.recommended = _OF_OWN_PROBLEMS
        config.task.max_steps = config.task.get("max_steps", config.task.length)


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
