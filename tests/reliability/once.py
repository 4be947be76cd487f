"""Runs every verb once in a folder: ``python -m tests.reliability.once FOLDER [--workers N]``.

With ``--against OTHER`` it then says which files differ from those of another such folder in what
is no time.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from safetensors.numpy import load_file

from tests.reliability.calls import ensure_counted
from tests.reliability.cases import CASES, Case, make_inputs
from tests.reliability.commands import run, warm_up
from tests.reliability.trees import differences

ONCE = {name: case for name, case in CASES.items() if "," not in name}
"""The cases without those that do the same again under other circumstances."""
_WORKERS = {"train": "trainer.workers", "evaluate": "workers"}
"""The options of verbs whose cases do not name them."""

_TIMES = {"started", "ended", "seconds", "plan_seconds", "plan_seconds_alone", "measured"}
_PHASES = {"collect", "train", "benchmark", "render"}
"""Keys whose values are times, ours and those of a demo's ``results.json``."""
_TIMED = re.compile(r".*\.(log|console|html)|.*/training\.pt|.*/events\.out\.tfevents.*")
"""Files that hold times."""
_OF_THE_MAKING = {"workers", "threads", "command", "digests"}
"""What says how many workers and threads there were; weights name it, and a checkpoint its files'
digests."""


def main() -> int:
    """Makes ``inputs`` and a folder for each verb; tells what failed, or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0, help="of every verb that has some")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--against", type=Path, help="such a folder")
    options = parser.parse_args()
    ensure_counted("tests.reliability.once", OMP_NUM_THREADS=str(options.threads))
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
    if options.against is not None:
        for name in differences(contents(options.against), contents(options.folder)):
            print(f"differs: {name}")
    return int(failed > 0)


def words(name: str, case: Case, workers: int) -> Sequence[str]:
    """The command line of a case with so many workers."""
    given = [word.replace("workers=0", f"workers={workers}") for word in case.words]
    return [*given, f"{_WORKERS[name]}={workers}"] if name in _WORKERS else given


def contents(folder: Path) -> dict[str, Any]:
    """Of every file what is the same, as values where workers are named, else as bytes."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = {str(path.relative_to(folder)): path for path in paths}
    return {name: _content(path) for name, path in found.items() if not _TIMED.fullmatch(name)}


def _content(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return {name: array.tobytes() for name, array in load_file(path).items()}
    if path.suffix == ".json":
        return _kept(json.loads(path.read_bytes()), _times(path) | _OF_THE_MAKING)
    if path.suffix == ".yaml":
        return _kept(yaml.safe_load(path.read_text(encoding="utf-8")), _OF_THE_MAKING)
    return path.read_bytes()


def _times(path: Path) -> set[str]:
    demo = path.name == "results.json" and (path.parent / "index.html").exists()
    return _TIMES | _PHASES if demo else _TIMES


def _kept(content: Any, without: set[str]) -> Any:
    if isinstance(content, dict):
        return {k: _kept(value, without) for k, value in content.items() if k not in without}
    if isinstance(content, list):
        return [_kept(value, without) for value in content]
    return content


if __name__ == "__main__":
    sys.exit(main())
