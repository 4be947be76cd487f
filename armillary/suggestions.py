"""How messages about unknown names end: with the nearest name there is, and a few of the others."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from armillary.errors import shortened

MOST, WIDEST = 30, 400
"""How many names a message lists, and how many characters of them."""
_LONGEST = 60
"""Characters of a name that are looked at and shown."""


def suggest(name: str, valid: Iterable[str]) -> str:
    """``did you mean 'b'? choose from a, b``: the nearest, and all or the nearest of many."""
    nearest, choices = _nearest_first(name, valid)
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return f"{hint}choose from {listed(choices)}"


def holds(name: str, there: Iterable[str]) -> str:
    """``it holds a, b; did you mean 'b'?``: the same for what a file holds."""
    nearest, names = _nearest_first(name, there)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return f"it holds {listed(names, 'nothing')}{hint}"


def listed(names: Iterable[object], none: str = "(none)") -> str:
    """The names with commas between them, as many as a message has room for, and how many more."""
    every = [_shown(name) for name in names]
    count, width = 0, 0
    while count < min(MOST, len(every)) and width <= WIDEST:
        width += len(every[count])
        count += 1
    more = f" and {len(every) - count} more" if len(every) > count else ""
    return f"{', '.join(every[:count]) or none}{more}"


def _nearest_first(name: str, valid: Iterable[str]) -> tuple[str, list[str]]:
    """The nearest name if any is near; all in alphabetical order, or of many the nearest first."""
    choices, given = sorted(map(str, valid)), str(name)[:_LONGEST]
    nearest = get_close_matches(given, choices, n=1, cutoff=0.5)
    if len(choices) > MOST:
        matcher = SequenceMatcher(b=given)

        def unlikeness(choice: str) -> float:
            matcher.set_seq1(choice[:_LONGEST])
            return -matcher.ratio()

        choices.sort(key=unlikeness)
    return _shown(nearest[0]) if nearest else "", choices


def _shown(name: object) -> str:
    """A name on one line."""
    return shortened(" ".join(str(name).split()), _LONGEST)
