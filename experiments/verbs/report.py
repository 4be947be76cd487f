"""The verb ``report``: one page of one or several runs, to read anywhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from omegaconf import DictConfig

from armillary.experiments.command.console import counted, results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.pages.report import report_page
from armillary.experiments.pages.runs import read_runs
from armillary.files import write_text

_ENDINGS = (".html", ".htm")


def run(config: DictConfig) -> Path:
    """Writes the page and returns its path.

    Raises:
        UsageError: a directory is no run's or is damaged, the page cannot be made so small, or its
            place is taken.
    """
    path = Path(config.output).expanduser()
    if path.suffix not in _ENDINGS or path.is_dir():
        raise UsageError(f"output must be a page such as page.html, got {config.output}")
    if path.exists() and not config.get("overwrite"):
        raise UsageError(f"output={path} exists; choose another page or add overwrite=true")
    if config.megabytes <= 0:
        raise UsageError(f"megabytes must be above 0, got {config.megabytes}")
    runs = read_runs([Path(str(name)).expanduser() for name in config.runs])
    with tempfile.TemporaryDirectory() as scratch:
        page = report_page(runs, config.title, int(config.megabytes * 1e6), Path(scratch))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    size = path.stat().st_size / 1e6
    results.print(
        f"{path}  {counted(len(runs), 'run')}, {size:.2f} MB", highlight=False, soft_wrap=True
    )
    return path
