"""The base of every mistake that a user can make; anything else that is raised is a defect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

LONGEST, MOST_LINES = 1500, 12
"""Characters and lines of a message that are shown; ``args`` keep all."""


class ArmillaryError(ValueError):
    """What was given cannot be used; the message says what was required, what came, what is valid.

    The command line tells it in a few lines, with exit code 2. All checks of arguments, files and
    settings in this project raise it or a subclass, and plug-ins should too; it is a ``ValueError``
    so that code that expects one keeps working. Several arguments are joined by a colon.
    """

    def __str__(self) -> str:
        first, *rest = shortened(": ".join(map(str, self.args))).split("\n", MOST_LINES - 1)
        return "\n".join([first, *(line.partition("\n")[0] for line in rest)])


class DataError(ArmillaryError):
    """A data file that cannot be used; the message starts with its path."""

    def __init__(self, path: Path | str, message: str) -> None:
        super().__init__(str(path), message)
        self.path = Path(path)


class PluginError(ArmillaryError):
    """A plug-in cannot be imported, takes a name that is taken, or lacks what its kind needs."""


class RunError(RuntimeError):
    """A run that cannot go on although nothing is wrong with the program; the message says why."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text; the middle of a long one is left out, which is where its lists are."""
    if len(text) <= longest:
        return text
    head = 2 * longest // 3
    return f"{text[:head]} [... {len(text) - longest} characters ...] {text[head - longest :]}"


def required(found: Mapping[str, Any], name: str, owner: str) -> Any:
    """``found[name]``, or an ArmillaryError that says whose it is and what there is."""
    if name not in found:
        raise ArmillaryError(f"{owner} must have {name!r}, got {sorted(found)}")
    return found[name]
