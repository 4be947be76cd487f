"""What a user can do wrong, and how the message helps."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """A mistake on the command line; the message says what to write instead."""


class RunError(RuntimeError):
    """A run that cannot go on although nothing is wrong with the program; the message says why."""


def suggest(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest valid one, if any, and all."""
    choices = sorted(valid)
    nearest = get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}choose from {', '.join(choices) or '(none)'}"
