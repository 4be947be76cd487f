"""What is said: results on stdout, progress and messages on stderr; numbers in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

results = Console(markup=False)
messages = Console(stderr=True, markup=False)


def counting(description: str, total: int) -> tuple[Progress, TaskID]:
    """A progress bar that counts to ``total``: a context manager, and the task to advance."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=messages,
    )
    return progress, progress.add_task(description, total=total)


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def joined(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def duration(seconds: float) -> str:
    """Such as ``5 min 3 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
