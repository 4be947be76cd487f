"""The verbs: what their YAMLs declare, and the words that may follow them, in Hydra's grammar."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from armillary.experiments.command.errors import UsageError

CONF_MODULE = "armillary.experiments.conf"
CONF = Path(__file__).parents[1] / "conf"
_PLAIN = re.compile(r"[\w./+-]+")
POSITIONAL, MORE = "positional", "..."


def verbs() -> tuple[str, ...]:
    """The commands: every YAML at the top of ``experiments/conf`` is one."""
    return tuple(sorted(path.stem for path in CONF.glob("*.yaml")))


@cache
def declared(verb: str) -> DictConfig:
    """A verb's own YAML, as it is written; not to be changed."""
    content = OmegaConf.load(CONF / f"{verb}.yaml")
    assert isinstance(content, DictConfig)
    OmegaConf.set_readonly(content, True)
    return content


def options_of(verb: str) -> list[str]:
    """The keys at the top of a verb's YAML."""
    return [str(key) for key in declared(verb) if key not in ("defaults", POSITIONAL)]


def groups_of(verb: str) -> tuple[str, ...]:
    """The groups that a verb's configuration is made of."""
    entries = [entry for entry in _list_of(verb, "defaults") if isinstance(entry, dict)]
    return tuple(str(group).removeprefix("optional ") for entry in entries for group in entry)


def positional_of(verb: str) -> tuple[str, ...]:
    """The keys that words without ``key=`` set, in their order: ``positional`` in a verb's YAML.

    The last one may end in ``...``: it is set to the list of all further words.
    """
    return tuple(map(str, _list_of(verb, POSITIONAL)))


def _list_of(verb: str, key: str) -> list[Any]:
    found = declared(verb).get(key, [])
    return [OmegaConf.to_container(item) if OmegaConf.is_config(item) else item for item in found]


def parsed(verb: str, positional: Sequence[str], words: Sequence[str]) -> list[Override]:
    """The keys that words set, and their values.

    Args:
        verb: whose words they are, for messages.
        positional: the keys set by words without ``key=``, in order; the last one may end in
            ``...`` and is set to the list of all further words.
        words: after the verb.

    Raises:
        UsageError: a word cannot be read, is one too many, gives several values, or sets what
            another one sets.
    """
    overrides = [_parse(word) for word in keyed(verb, positional, words)]
    for override in overrides:
        if override.is_sweep_override():
            key, _, value = str(override.input_line).partition("=")
            quoted = shlex.quote(f'{key}="{value}"')
            raise UsageError(
                f"{override.input_line!r} gives several values; add -m to run once for each, or "
                f"quote the value if it is one, for the shell and for Hydra: {quoted}"
            )
    return overrides


def keyed(verb: str, positional: Sequence[str], words: Sequence[str]) -> list[str]:
    """The words as Hydra reads them: all with their keys, paths quoted where they must be.

    Args:
        verb: see ``parsed``, as the others.
        positional: keys.
        words: after the verb.

    Raises:
        UsageError: a word cannot be read, is one too many, or sets what another one sets.
    """
    return [str(_parse(word).input_line) for word in _with_keys(verb, positional, words)]


def quoted(text: str) -> str:
    """A text in Hydra's grammar, which reads a backslash as itself except before a quote."""
    escaped = re.sub(r"(\\+)(?='|$)", r"\1\1", text).replace("'", "\\'")
    return f"'{escaped}'"


def written(value: Any) -> str:
    """A value of a configuration in Hydra's grammar."""
    value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{written(one)}' for key, one in value.items())}}}"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else quoted(text)


def _with_keys(verb: str, positional: Sequence[str], words: Sequence[str]) -> list[str]:
    """The words, those given by position as ``key=value``."""
    if not positional:
        return list(words)
    keyed = [word for word in words if _has_key(word)]
    given = [quoted(word) for word in words if not _has_key(word)]
    *single, last = positional
    if last.endswith(MORE):
        several = given[len(single) :]
        given[len(single) :] = [f"[{','.join(several)}]"] if several else []
    if len(given) > len(positional):
        raise UsageError(
            f"{verb} takes {' '.join(positional).upper()} and then key=value; "
            f"{given[len(positional)]} is one word too many"
        )
    names = [name.removesuffix(MORE) for name in positional[: len(given)]]
    twice = sorted({*names} & {word.partition("=")[0] for word in keyed})
    if twice:
        raise UsageError(f"{twice[0]} is given twice: by position and as {twice[0]}=...")
    return [f"{name}={value}" for name, value in zip(names, given, strict=True)] + keyed


def _has_key(word: str) -> bool:
    """Whether a word is ``key=value`` or ``~key``; paths have equals signs after slashes only."""
    key, equals, _ = word.partition("=")
    return (bool(equals) and "/" not in key.removeprefix("hydra/")) or word.startswith("~")


def _parse(word: str) -> Override:
    """Parses a word; a value that Hydra's grammar cannot read, such as a path, is quoted first."""
    key, equals, value = word.partition("=")
    if not key or not (equals or word.startswith("~")):
        raise UsageError(f"{word!r} is no key=value")
    parser = OverridesParser.create()
    try:
        return parser.parse_override(word)
    except HydraException:  # of the parser or of its lexer
        try:
            return parser.parse_override(f"{key}={quoted(value)}")
        except HydraException as error:
            raise UsageError(f"cannot read {word!r}: {str(error).splitlines()[0]}") from error
