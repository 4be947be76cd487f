"""Help and completion: comments of the YAMLs explain options, docstrings explain settings."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.plugins.completion_plugin import CompletionPlugin
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from armillary.experiments.command.config import choices, compose
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.loader import Loader
from armillary.experiments.command.parameters import configured, model_class, parameters_of
from armillary.experiments.command.verbs import (
    CONF,
    POSITIONAL,
    groups_of,
    positional_of,
    verbs,
    written,
)
from armillary.suggestions import suggest

_WIDEST = 40
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):\s*(?P<value>.*)$")


@dataclass(frozen=True)
class Option:
    """A key of a verb's own YAML: its dotted name, its default as written, its explanation."""

    name: str
    default: str
    explanation: str


def summary(verb: str) -> str:
    """What a verb does, in one line: the first comment of its YAML."""
    return _lines(verb)[0].removeprefix("# ")


def options(verb: str) -> list[Option]:
    """The keys of a verb's YAML in its order; what has no comment inherits its section's."""
    found: list[Option] = []
    path: list[tuple[int, str, str]] = []
    comment: list[str] = []
    for line in _lines(verb)[1:]:
        match = _KEY.match(line)
        if line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("# "))
            continue
        if match:
            indent = len(match["indent"])
            path = [entry for entry in path if entry[0] < indent]
            inherited = path[-1][2] if path else ""
            path.append((indent, match["key"], " ".join(comment) or inherited))
            if match["value"] and match["key"] != POSITIONAL and match["key"][0] != "_":
                name = ".".join(key for _, key, _ in path)
                found.append(Option(name, match["value"], path[-1][2]))
        comment = []
    return found


def overview() -> str:
    """What ``armillary --help`` prints."""
    width = max(len(verb) for verb in verbs())
    lines = [
        "usage: armillary VERB [key=value ...]",
        "",
        "Planning with learned object-centric world models.",
        "",
        "verbs:",
        *(f"  {verb:<{width}}  {summary(verb)}" for verb in verbs()),
        "",
        "armillary VERB --help                    the options of a verb",
        "armillary VERB --cfg job                 the resolved configuration; nothing is run",
        "armillary VERB -m key=a,b                runs once for each value; report takes all runs",
        "armillary VERB --config-dir DIR          your own YAMLs, by group",
        "armillary VERB plugins=[my_pack]         your own models, planners, costs, tasks, ...",
        "armillary --shell-completion install=bash    or zsh, fish: what the shell is to evaluate",
        "armillary --version                      the version",
    ]
    return "\n".join(lines)


def help_of(verb: str, words: Sequence[str] = (), folder: str | None = None) -> str:
    """What ``armillary VERB [words] --help`` prints."""
    found, used = options(verb), groups_of(verb)
    config = compose(verb, words, folder)
    positional = map(str.upper, positional_of(verb))
    lines = [f"usage: {' '.join(['armillary', verb, *positional, '[key=value ...]'])}"]
    lines += ["", summary(verb), "", "options:"]
    lines += _table([(f"{o.name}={o.default}", o.explanation) for o in found])
    if used:
        lines += ["", "groups (group=choice, a choice's name or your own file.yaml):"]
        width = max(len(group) for group in used) + 1
        for group in used:
            first, *more = _folded(choices(verb, group, folder))
            lines += [f"  {group + '=':<{width}} {first}"]
            lines += [f"  {'':<{width}} {line}" for line in more]
    if "task" in used and len(used) > 1:
        lines.append("  A group that is left out takes what the task recommends.")
    for key in map(str, config):
        section = config._get_node(key)
        rows = _settings(key, section) if isinstance(section, DictConfig) else []
        if rows:
            chosen = config.choices.get(key) or ""
            lines += ["", f"{key} {chosen}".rstrip() + ":", *_table(rows)]
    lines += [
        "",
        "??? has no default; null is nothing, or what the data say. Words are taken into account:",
        f"armillary {verb} GROUP=CHOICE --help shows that choice. --traceback shows where an error",
        "comes from.",
    ]
    return "\n".join(lines)


def shown(config: DictConfig, what: str, package: str) -> str:
    """What ``--cfg`` prints: the job's section, Hydra's or both, as YAML.

    Raises:
        UsageError: there is no such package.
    """
    with open_dict(config):
        config = config.copy()
        if what == "job":
            del config["hydra"]
        elif what == "hydra":
            config = OmegaConf.create({"hydra": config.hydra})
    if package:
        parent, _, name = package.rpartition(".")
        holder = OmegaConf.select(config, parent) if parent else config
        if not isinstance(holder, DictConfig) or name not in holder:
            raise UsageError(f"--package {package}: the configuration has no such section")
        if not isinstance(holder[name], DictConfig):
            return f"{holder[name]}\n"
        config = holder[name]
    try:
        return OmegaConf.to_yaml(config, resolve=what == "job")
    except OmegaConfBaseException:  # a value that others are made of is still missing
        return OmegaConf.to_yaml(config)


def _settings(path: str, section: DictConfig) -> list[tuple[str, str]]:
    """The keywords of the classes that a section configures, with their explanations."""
    name = section.get("name") if path == "model" else None
    thing = configured(section) if name is None else model_class(name)
    rows = []
    for key, parameter in parameters_of(thing).items():
        node = section._get_node(key)
        if key in section and not OmegaConf.is_dict(node):
            value = "???" if OmegaConf.is_missing(section, key) else written(section[key])
            rows.append((f"{path}.{key}={value}", parameter.explanation))
    for key in section:
        child = section._get_node(str(key))
        if isinstance(child, DictConfig) and not child._is_none():
            rows += _settings(f"{path}.{key}", child)
    return rows


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Two columns; a long name pushes its text to the right."""
    width = min(_WIDEST, max((len(name) for name, _ in rows), default=0))
    lines = []
    for name, text in rows:
        first, *rest = textwrap.wrap(text.replace("``", ""), max(20, 110 - width)) or [""]
        lines.append(f"  {name:<{width}}  {first}".rstrip())
        lines += [f"  {'':<{width}}  {line}" for line in rest]
    return lines


def _folded(names: Sequence[str]) -> list[str]:
    """Choices in few lines: ``{bair_actions,planning}/{op3,sdvae}`` for what has the same parts."""
    leaves: dict[str, list[str]] = {}
    for name in names:
        folder, _, leaf = name.rpartition("/")
        leaves.setdefault(folder, []).append(leaf)
    folders: dict[tuple[str, ...], list[str]] = {}
    for folder, found in leaves.items():
        folders.setdefault(tuple(sorted(found)), []).append(folder)
    lines = []
    for found, alike in folders.items():
        if alike == [""]:
            lines.append(" | ".join(found))
        else:
            lines.append(f"{_braced(sorted(alike))}/{_braced(found)}")
    return lines or ["(none)"]


def _braced(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else "{" + ",".join(names) + "}"


def _lines(verb: str) -> list[str]:
    return (CONF / f"{verb}.yaml").read_text(encoding="utf-8").splitlines()


def complete(request: str, loader: Loader) -> None:
    """Prints what a shell asks for.

    Args:
        request: ``install=SHELL`` or ``uninstall=SHELL`` prints what the shell is to evaluate,
            ``query=SHELL`` the words that may follow.
        loader: of configurations.

    Raises:
        UsageError: there is no such request or shell.
    """
    what, _, shell = request.partition("=")
    kinds = cast(list[type[CompletionPlugin]], Plugins.instance().discover(CompletionPlugin))
    found = {kind.provides(): kind for kind in kinds}
    if what not in ("install", "uninstall", "query") or shell not in found:
        raise UsageError(
            f"--shell-completion takes install=SHELL, uninstall=SHELL or query=SHELL, got "
            f"{request!r}; {suggest(shell, found)}"
        )
    plugin = found[shell](loader)
    if what != "query":
        getattr(plugin, what)()
        return
    program, _, rest = os.environ.get("COMP_LINE", "").partition(" ")
    verb, space, words = rest.lstrip().partition(" ")
    if not space:
        print(" ".join(name for name in verbs() if name.startswith(verb)))
    elif verb in verbs():
        os.environ["COMP_LINE"] = f"{program} {words}"
        JobRuntime.instance().set("name", verb)
        plugin.query(verb)
