"""Samples mutants, tries each against the tests that run its line, and counts what survives."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.reliability.mutants import lines, trial
from tests.reliability.mutants.mutations import Mutant, mutants, mutate

PACKAGES = ("planners", "agent", "world_models/blocks", "world_models/metrics", "envs")
SUITES = (
    *(f"tests/{package}/**" for package in PACKAGES),
    "tests/parity",
    "tests/world_models",
    "tests/world_models/goals",
)
_BUDGET = 40.0
"""Seconds of tests that one mutant has to survive, as they were recorded."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=300, help="mutants, as many of each package")
    parser.add_argument("--seed", type=int, default=0, help="decides which")
    parser.add_argument("--output", type=Path, required=True, help="JSON; what is in it is kept")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    store = json.loads(output.read_text()) if output.exists() else {"tests": {}, "mutants": {}}
    trial.warm_up()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        _copy(root)
        sources = {
            str(path.relative_to(root)): path.read_text()
            for package in PACKAGES
            for path in sorted((root / package).rglob("*.py"))
        }
        _record(root, sources, store, output)
        each = -(-arguments.sample // len(arguments.packages))
        tried = []
        for package in arguments.packages:
            for file, mutant in _draw(sources, package, each, arguments.seed):
                told = _try(root, sources, file, mutant, store)
                _write(output, store)
                tried.append({"package": package, **told})
    _print_table(tried, arguments.packages)


def _copy(root: Path) -> None:
    """The tree as it is, tracked files and new ones; nothing is tried in place."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in (
        subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    ):
        if name and (Path(name).is_symlink() or Path(name).exists()):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, root / name, follow_symlinks=False)


def _record(root: Path, sources: dict[str, str], store: dict[str, Any], output: Path) -> None:
    """Watches every file of tests that is new, or whose sources or helpers are."""
    folders = ("tests", "tests/contracts", *SUITES)
    found = [path for folder in folders for path in sorted(root.glob(folder + "/*.py"))]
    shared = [path for path in found if not path.name.startswith("test_")]
    files = [path for path in found if path not in shared and path.parent != root / "tests"]
    common = "".join([*sources.values(), *(path.read_text() for path in shared)])
    for path in files:
        file = str(path.relative_to(root))
        digest = _digest(common, path.read_text())
        if store["tests"].get(file, {}).get("digest") == digest:
            continue

        def work(file: str = file) -> dict[str, Any]:
            watch = lines.Watch(root, list(sources))
            trial.run_pytest([file], watch)
            return watch.tests

        told = trial.in_fork(root, work, 900.0)
        if isinstance(told, str):
            raise SystemExit(f"{file}: {told} while its tests were watched")
        store["tests"][file] = {"digest": digest, "lines": told}
        print(f"{len(told):5d} tests of {file}", flush=True)
        _write(output, store)


def _draw(sources: dict[str, str], package: str, count: int, seed: int) -> list[tuple[str, Mutant]]:
    every = [
        (file, mutant)
        for file, source in sources.items()
        if file.startswith(package + "/")
        for mutant in mutants(source)
    ]
    random.Random(f"{seed} {package}").shuffle(every)
    return every[:count]


def _tests_of(tests: dict[str, Any], file: str, mutant: Mutant) -> dict[str, float]:
    """Tests that run the line, those of the file's own first, then the quickest; their seconds."""
    own = f"tests/{Path(file).parent}/test_{Path(file).name}"
    found = []
    for where, told in tests.items():
        for name, (seconds, ran) in told["lines"].items():
            seen = ran.get(file, ())
            if mutant.line in seen if mutant.called else seen:
                found.append((where != own, seconds, name))
    chosen: dict[str, float] = {}
    for _, seconds, name in sorted(found):
        if sum(chosen.values()) < _BUDGET:
            chosen[name] = seconds
    return chosen


def _try(
    root: Path, sources: dict[str, str], file: str, mutant: Mutant, store: dict[str, Any]
) -> dict[str, Any]:
    """What became of a mutant; what is known is known, but a survivor meets new tests again."""
    tests = _tests_of(store["tests"], file, mutant)
    key = _digest(file, sources[file], str(mutant.index))
    files = {name.split("::")[0] for name in tests}
    met = _digest(*tests, *sorted(store["tests"][name]["digest"] for name in files))
    known = store["mutants"].get(key)
    if known and (known["state"] != "survived" or known["met"] == met):
        return known
    module = ".".join(("armillary", *Path(file).with_suffix("").parts)).removesuffix(".__init__")
    started, state, test = time.monotonic(), "survived", ""
    if tests:
        tree, allowed = mutate(sources[file], mutant.index), 60.0 + 10.0 * sum(tests.values())
        state, test = trial.run_mutant(root, module, tree, list(tests), allowed)
    seconds = round(time.monotonic() - started, 1)
    print(f"{state:8s} {seconds:6.1f} s  {file}:{mutant.line}  {mutant.change}", flush=True)
    store["mutants"][key] = told = {
        "file": file,
        "line": mutant.line,
        "change": mutant.change,
        "state": state,
        "killed by": test,
        "tests": len(tests),
        "met": met,
        "seconds": seconds,
    }
    return told


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _write(output: Path, store: dict[str, Any]) -> None:
    partial = output.with_name(output.name + ".partial")
    partial.write_text(json.dumps(store))
    partial.replace(output)


def _print_table(tried: list[dict[str, Any]], packages: tuple[str, ...]) -> None:
    print("\n| package | mutants | killed | survived | share killed |")
    print("|---|---:|---:|---:|---:|")
    for package in (*packages, ""):
        of = [told for told in tried if told["package"].startswith(package)]
        left = [told for told in of if told["state"] == "survived"]
        killed = len(of) - len(left)
        name, share = package or "all", killed / max(1, len(of))
        print(f"| {name} | {len(of)} | {killed} | {len(left)} | {100 * share:.0f} % |")
    print()
    for told in tried:
        if told["state"] == "survived":
            untested = "" if told["tests"] else "  (no test runs it)"
            print(f"{told['file']}:{told['line']}  {told['change']}{untested}")


if __name__ == "__main__":
    main()
