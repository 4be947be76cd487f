"""How messages about unknown names end."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, valid: Iterable[str]) -> str:
    """The nearest valid name, if any is near, and all valid names."""
    choices = sorted(valid)
    nearest = get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}choose from {', '.join(choices) or '(none)'}"
