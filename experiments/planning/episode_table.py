"""The table that ends a command which writes a file of episodes."""

from __future__ import annotations

from rich.table import Table

from armillary.experiments.command.console import results
from armillary.world_models.data import EpisodeFile


def show(file: EpisodeFile) -> None:
    """Prints the splits of a file with their counts and sizes."""
    table = Table(title=str(file.path))
    for heading in ("split", "episodes", "frames", "image", "actions"):
        table.add_column(heading)
    for name, info in file.splits.items():
        size = f"{info.image_size} x {info.image_size}"
        table.add_row(name, str(info.episodes), str(info.length), size, str(info.action_size))
    results.print(table)
