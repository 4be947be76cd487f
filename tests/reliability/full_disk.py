"""Runs every writing verb on a disk that becomes full at different moments.

Each ends with exit code 1 and one line, leaves nothing half-written, keeps what was there, and
completes when there is room again. Disks are full by the calls that fail, by a limit on the size
of files, and, where this process may mount one, truly.

    python -m tests.reliability.full_disk --tries 100 --output full_disk.json
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.reliability.calls import Trouble, ensure_counted
from tests.reliability.cases import CASES, Case
from tests.reliability.commands import Ended, run
from tests.reliability.kills import Reference, World, broken, unfinished
from tests.reliability.trees import names

_SIZES = (100, 1_000, 10_000, 30_000, 100_000)
"""Limits on the size of a file, in bytes."""


def wrong_end(case: Case, folder: Path, ended: Ended) -> list[str]:
    """What is wrong with how a command ended that had no room; nothing where it had enough."""
    if ended.code == 0:
        return []
    wrong = [] if ended.code == 1 else [f"exit code {ended.code}"]
    errors = [line for line in ended.told.splitlines() if ": error: " in line]
    if len(errors) != 1 or "Traceback" in ended.told or "logging error" in ended.told.lower():
        wrong.append(f"not told in one line: {ended.told.strip()[-600:]}")
    partial = [name for name in names(folder) if name.endswith(".partial")]
    if case.words[0] == "generate":  # what it goes on with
        partial = [name for name in partial if name != ".videos.h5.partial"]
    wrong += [f"left behind: {name}" for name in partial]
    return wrong


def try_full(
    world: World, case: Case, reference: Reference, call: int, largest: int | None
) -> list[str]:
    """Runs a case on a disk that is full from a call on, or with files of limited size."""
    folder = world.folder(case)
    trouble = Trouble.FULL if call else Trouble.NONE
    ended = run(case.words, folder, trouble, call, largest_file=largest)
    wrong = wrong_end(case, folder, ended) or broken(folder, reference)
    return wrong or unfinished(folder, case, reference)


def try_small(world: World, case: Case, reference: Reference, kilobytes: int) -> list[str]:
    """Runs a case on a disk of that size."""
    folder = world.folder(case)
    kept = folder.with_name("kept")
    shutil.rmtree(kept, ignore_errors=True)
    folder.rename(kept)
    folder.mkdir()
    used = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) // 1024
    size = used + 4 * sum(1 for _ in kept.rglob("*")) + kilobytes
    with _mounted(folder, size):
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        ended = run(case.words, folder)
        wrong = wrong_end(case, folder, ended) or broken(folder, reference)
        subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
        return wrong or unfinished(folder, case, reference)


@contextmanager
def _mounted(folder: Path, kilobytes: int) -> Iterator[None]:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def can_mount(scratch: Path) -> bool:
    """Whether this process may mount a small disk."""
    try:
        with _mounted(scratch, 64):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def main() -> int:
    """Fills disks, prints a table, and returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="*", default=sorted(CASES), choices=sorted(CASES))
    parser.add_argument("--output", type=Path, help="a JSON file of what was found")
    options = parser.parse_args()
    ensure_counted("tests.reliability.full_disk")
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        world = World(Path(scratch), options.cases)
        mounts = can_mount(Path(tempfile.mkdtemp(dir=scratch)))
        rows = list(_rows(world, options.cases, options.tries, rng, mounts))
    total, bad = sum(row["tries"] for row in rows), sum(len(row["bad"]) for row in rows)
    print(f"{'all':20} {total:6} full disks {bad:4} bad")
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 1 if bad else 0


def _rows(
    world: World, cases: Sequence[str], tries: int, rng: random.Random, mounts: bool
) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(cases):
        case = CASES[name]
        reference = world.reference(case)
        bad: dict[str, list[str]] = {}
        share = tries // len(cases) + (number < tries % len(cases))
        for index in range(share):
            kind = ("call", "limit", "mount" if mounts else "call")[index % 3]
            if kind == "call":
                place = rng.randint(1, reference.ended.calls)
                wrong = try_full(world, case, reference, place, None)
            elif kind == "limit":
                place = rng.choice(_SIZES)
                wrong = try_full(world, case, reference, 0, place)
            else:
                place = round(4 * 2 ** rng.uniform(0, 8))
                wrong = try_small(world, case, reference, place)
            if wrong:
                bad[f"{kind} {place}"] = wrong
                print(f"{name}, {kind} {place}: {'; '.join(wrong[:3])}", file=sys.stderr)
        print(f"{name:20} {share:6} full disks {len(bad):4} bad", flush=True)
        yield {"case": name, "tries": share, "bad": bad}


if __name__ == "__main__":
    sys.exit(main())
