"""What is printed is what was said, also where it looks like markup."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from armillary.experiments.command.console import messages, results


@pytest.mark.parametrize("console", [results, messages])
def test_brackets_of_names_and_paths_are_no_markup(console: Console) -> None:
    table = Table("a[/b]", title="[/y].h5")
    table.add_row("[/red]")
    with console.capture() as captured:
        console.print(table)
    said = captured.get()
    assert all(text in said for text in ("a[/b]", "[/y].h5", "[/red]"))
