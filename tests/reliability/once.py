"""Runs every verb once in a folder: ``python -m tests.reliability.once FOLDER [--workers N]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.reliability.calls import ensure_counted
from tests.reliability.cases import CASES, Case, make_inputs
from tests.reliability.commands import run, warm_up

ONCE = {name: case for name, case in CASES.items() if "," not in name}
"""The cases without those that do the same again under other circumstances."""
_WORKERS = {"train": "trainer.workers", "evaluate": "workers"}
"""The options of verbs whose cases do not name them."""


def main() -> int:
    """Makes ``inputs`` and a folder for each verb; tells what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0, help="of every verb that has some")
    options = parser.parse_args()
    ensure_counted("tests.reliability.once")
    options.folder.mkdir(parents=True)
    warm_up()
    modules = options.folder / "modules"
    make_inputs([*ONCE.values()], options.folder / "inputs", modules)
    modules.unlink()
    failed = 0
    for name, case in ONCE.items():
        folder = options.folder / name
        case.prepare(options.folder / "inputs", folder)
        ended = run(words(name, case, options.workers), folder)
        failed += ended.code != 0
        print(f"{name}: {ended.seconds:.1f} s, exit code {ended.code}")
        if ended.code:
            print(ended.told, file=sys.stderr)
    return int(failed > 0)


def words(name: str, case: Case, workers: int) -> Sequence[str]:
    """The command line of a case with so many workers."""
    given = [word.replace("workers=0", f"workers={workers}") for word in case.words]
    return [*given, f"{_WORKERS[name]}={workers}"] if name in _WORKERS else given


if __name__ == "__main__":
    sys.exit(main())
