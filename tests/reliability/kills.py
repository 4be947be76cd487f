"""Kills every writing verb before, in and after its file-system calls, and at random moments.

After each kill nothing that is half-written is read as whole, what was whole is whole, and the same
command goes on to what an uninterrupted one gives, leaving nothing behind.

    python -m tests.reliability.kills --kills 300 --output kills.json
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from tests.reliability.calls import Trouble, ensure_counted
from tests.reliability.cases import CASES, Case, make_inputs
from tests.reliability.commands import KILLED, Ended, run, warm_up
from tests.reliability.trees import contents, differences, names, unreadable

_RANDOM_SHARE = 0.25
_KINDS = (Trouble.BEFORE, Trouble.TORN, Trouble.AFTER)
PIECE = 2
"""Episodes of a piece of a collection, so that five make three."""


@dataclass(frozen=True)
class Reference:
    """An uninterrupted command.

    Attributes:
        before: the names of the files that it does not touch and of those that it replaces, with
            their contents.
        names: of all files after it.
        contents: of those that can be compared.
        ended: how it ended.
    """

    before: dict[str, Any]
    names: set[str]
    contents: dict[str, Any]
    ended: Ended


@dataclass(frozen=True)
class Kill:
    """Where a command is killed: at a call, or after some seconds."""

    trouble: Trouble
    call: int = 0
    seconds: float | None = None

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"after {self.seconds:.3f} s"
        return f"{self.trouble.name.lower()} call {self.call}"


class World:
    """Where cases run: their inputs, and a folder for each try.

    Args:
        scratch: an empty folder.
        cases: that are to be run, by name.
    """

    def __init__(self, scratch: Path, cases: Sequence[str]) -> None:
        from armillary.experiments.verbs import collect

        collect.PIECE = PIECE
        self._scratch = scratch
        self.inputs = scratch / "inputs"
        warm_up()
        make_inputs([CASES[name] for name in cases], self.inputs, scratch / "modules")
        warm_up((scratch / "modules").read_text(encoding="utf-8").split())

    def folder(self, case: Case) -> Path:
        """A fresh folder, prepared; always at the same path, which files may name."""
        folder = self._scratch / "try"
        rmtree(folder, ignore_errors=True)
        case.prepare(self.inputs, folder)
        return folder

    def reference(self, case: Case) -> Reference:
        """Runs a case without trouble.

        Raises:
            RuntimeError: it fails.
        """
        folder = self.folder(case)
        before = contents(folder)
        ended = run(case.words, folder)
        if ended.code != 0:
            raise RuntimeError(f"{' '.join(case.words)}: exit code {ended.code}\n{ended.told}")
        return Reference(before, names(folder), contents(folder), ended)


def broken(folder: Path, reference: Reference) -> list[str]:
    """What is wrong after a command was ended in the middle."""
    wrong = unreadable(folder)
    here = contents(folder) if not wrong else {}
    for name, content in reference.before.items():
        if not wrong and here.get(name) not in (content, reference.contents.get(name)):
            wrong.append(f"{name} was whole and is neither as it was nor as it should be")
    return wrong


def unfinished(folder: Path, case: Case, reference: Reference) -> list[str]:
    """What is wrong after the same command was given again, without trouble."""
    again = run(case.words, folder)
    if again.code != 0:
        return [f"the same command ends with {again.code}: {again.told.strip()[-400:]}"]
    here = names(folder)
    wrong = [f"left behind: {name}" for name in sorted(here - reference.names)]
    wrong += [f"missing: {name}" for name in sorted(reference.names - here)]
    wrong += [f"differs: {name}" for name in differences(reference.contents, contents(folder))]
    return wrong


def kills_of(reference: Reference, count: int, rng: random.Random) -> Iterator[Kill]:
    """So many kills, spread evenly over calls and kinds, the rest at random moments."""
    at_random = min(count - 1, round(_RANDOM_SHARE * count))
    points = [Kill(kind, call) for call in range(1, reference.ended.calls + 1) for kind in _KINDS]
    wanted = min(count - at_random, len(points))
    offset = rng.random()
    for index in range(wanted):
        yield points[int((index + offset) * len(points) / wanted)]
    for _ in range(at_random):
        yield Kill(Trouble.NONE, seconds=rng.uniform(0.0, reference.ended.seconds))


def try_kill(world: World, case: Case, reference: Reference, kill: Kill) -> list[str]:
    """Kills a command, and tells what is wrong then and after the same command again."""
    folder = world.folder(case)
    ended = run(case.words, folder, kill.trouble, kill.call, kill_after=kill.seconds)
    if ended.code not in (KILLED, 0):
        return [f"it ended with {ended.code} instead: {ended.told.strip()[-400:]}"]
    return broken(folder, reference) or unfinished(folder, case, reference)


def main() -> int:
    """Kills, prints a table, and returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="*", default=sorted(CASES), choices=sorted(CASES))
    parser.add_argument("--output", type=Path, help="a JSON file of what was found")
    options = parser.parse_args()
    ensure_counted("tests.reliability.kills")
    rng = random.Random(options.seed)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        rows = list(_rows(World(Path(scratch), options.cases), options.cases, options.kills, rng))
    total, bad = sum(row["kills"] for row in rows), sum(len(row["bad"]) for row in rows)
    print(f"{'all':20} {total:6} kills {bad:4} bad, {time.monotonic() - started:.0f} s")
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 1 if bad else 0


def _rows(
    world: World, cases: Sequence[str], kills: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(cases):
        case = CASES[name]
        reference = world.reference(case)
        share = kills // len(cases) + (number < kills % len(cases))
        bad = {}
        done = 0
        for kill in kills_of(reference, share, rng):
            done += 1
            wrong = try_kill(world, case, reference, kill)
            if wrong:
                bad[str(kill)] = wrong
                print(f"{name}, {kill}: {'; '.join(wrong[:3])}", file=sys.stderr)
        print(f"{name:20} {done:6} kills {len(bad):4} bad of {reference.ended.calls} calls")
        yield {"case": name, "calls": reference.ended.calls, "kills": done, "bad": bad}


if __name__ == "__main__":
    sys.exit(main())
