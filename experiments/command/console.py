"""The two consoles of the command line: results on stdout, progress and messages on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

results = Console()
messages = Console(stderr=True)


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
