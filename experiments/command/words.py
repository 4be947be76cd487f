"""Reads the words of a command line: ``key=value`` in Hydra's grammar, and values by position."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from armillary.experiments.command.errors import UsageError

MORE = "..."


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
            raise UsageError(
                f"{override.input_line!r} gives several values; add -m to run once for each, or "
                "quote the value if it is one"
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
