"""The help texts, read off the YAML files: a comment above a key explains it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from armillary.experiments.command.config import (
    CONF,
    POSITIONAL,
    choices,
    groups_of,
    positional_of,
    verbs,
)

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
            if match["value"] and match["key"] != POSITIONAL:
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
        "armillary VERB --help      the options of a verb",
        "armillary VERB --cfg job   the resolved configuration, without running anything",
        "armillary --version        the version",
    ]
    return "\n".join(lines)


def help_of(verb: str) -> str:
    """What ``armillary VERB --help`` prints."""
    found, used = options(verb), groups_of(verb)
    width = max([len(f"{o.name}={o.default}") for o in found] + [len(group) + 1 for group in used])
    words = " ".join(["armillary", verb, *map(str.upper, positional_of(verb)), "[key=value ...]"])
    lines = [f"usage: {words}", "", summary(verb), "", "options:"]
    for option in found:
        lines.append(
            f"  {f'{option.name}={option.default}':<{width}}  {option.explanation}".rstrip()
        )
    if used:
        lines += ["", "groups (group=choice, then group.key=value):"]
        lines += [f"  {f'{group}=':<{width}}  {' | '.join(choices(group))}" for group in used]
    if "task" in used and len(used) > 1:
        lines.append("  A group that is left out takes what the task recommends.")
    lines += [
        "",
        "??? has no default. --cfg job prints every key of the resolved configuration.",
        "--traceback shows where an error comes from.",
    ]
    return "\n".join(lines)


def _lines(verb: str) -> list[str]:
    return (CONF / f"{verb}.yaml").read_text(encoding="utf-8").splitlines()
