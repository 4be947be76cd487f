"""The flags of the command line, which are Hydra's where Hydra has them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from armillary.experiments.command.errors import UsageError
from armillary.suggestions import suggest


@dataclass(frozen=True)
class Flags:
    """What was asked for beside the words.

    Attributes:
        words: all that is no flag.
        help: whether to explain instead of to run.
        traceback: whether to show where an error comes from.
        multirun: whether several values make several jobs.
        cfg: which configuration to print: ``job``, ``hydra``, ``all``, or empty to run.
        package: the section to print, empty for all.
        config_dir: a folder of the user's own YAMLs, or None.
        completion: ``install=SHELL``, ``uninstall=SHELL`` or ``query=SHELL``, or empty.
    """

    words: list[str]
    help: bool
    traceback: bool
    multirun: bool
    cfg: str
    package: str
    config_dir: str | None
    completion: str


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        hint = "; write --cfg job, --cfg hydra or --cfg all" if "--cfg" in message else ""
        raise UsageError(f"{message}{hint}")


_PARSER = _Parser(add_help=False, allow_abbrev=False)
_PARSER.add_argument("-h", "--help", action="store_true")
_PARSER.add_argument("--traceback", action="store_true")
_PARSER.add_argument("-m", "--multirun", action="store_true")
_PARSER.add_argument("-c", "--cfg", choices=("job", "hydra", "all"), default="")
_PARSER.add_argument("-p", "--package", default="")
_PARSER.add_argument("--resolve", action="store_true")
_PARSER.add_argument("-cd", "--config-dir")
_PARSER.add_argument("-sc", "--shell-completion", dest="completion", default="")
_KNOWN = sorted(_PARSER._option_string_actions)


def read_flags(arguments: Sequence[str]) -> Flags:
    """Separates flags from words; a flag may stand anywhere.

    Raises:
        UsageError: there is no such flag, or its value is missing or unknown.
    """
    found, words = _PARSER.parse_known_args(list(arguments))
    unknown = [word for word in words if word.startswith("-") and len(word) > 1]
    if unknown:
        name = unknown[0].partition("=")[0]
        raise UsageError(f"unknown flag {name!r}; {suggest(name, _KNOWN)}")
    values = vars(found)
    del values["resolve"]  # what is printed is resolved always
    return Flags(words=words, **values)
