"""``python -m tests.reliability.fuzz``: damaged files for every reader; exit 1 with a finding."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import tempfile
from pathlib import Path

import torch

from armillary.experiments.running.provenance import commit
from tests.reliability.fuzz import campaign
from tests.reliability.fuzz.campaign import Chunk
from tests.reliability.fuzz.outcome import Finding, emptied, limit, outcome, put
from tests.reliability.fuzz.reader import Reader, case
from tests.reliability.fuzz.readers import READERS
from tests.reliability.fuzz.record import Record

_CHUNK = 500


def main() -> int:
    """Runs a campaign, or repeats one case of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file; the same command goes on with it")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="only this one")
    parser.add_argument("--index", type=int, help="repeats one case of one reader")
    parser.add_argument("--keep", type=Path, help="folder in which to leave the case's files")
    given = parser.parse_args()
    torch.set_num_threads(1)
    readers = [READERS[name] for name in given.reader or READERS]
    if given.index is not None:
        return _repeat(readers[0], given.seed, given.index, given.keep)
    plan = planned(readers, given.cases)
    identity = {"seed": given.seed, "commit": commit(), "plan": plan}
    record = Record.at(given.output, identity) if given.output else Record(identity)
    chunks = [chunk for chunk in chunks_of(readers, plan) if chunk.name not in {*record.done}]
    with _scratch() as folder, contextlib.suppress(KeyboardInterrupt):
        for chunk, result in campaign.run(chunks, given.seed, given.workers, folder):
            for place in record.add(chunk, result):
                print(f"{chunk.reader.name}: {place}", file=sys.stderr)
            if given.output:
                record.write(given.output)
    print(record.table())
    return 1 if record.findings else 0


def planned(readers: list[Reader], cases: int) -> dict[str, int]:
    """How many cases each reader gets, by its share."""
    shares = sum(reader.share for reader in readers)
    return {reader.name: math.ceil(cases * reader.share / shares) for reader in readers}


def chunks_of(readers: list[Reader], plan: dict[str, int]) -> list[Chunk]:
    """The cases of all readers in pieces, all readers from the beginning."""
    chunks = [
        Chunk(reader, start, min(start + _CHUNK, plan[reader.name]))
        for reader in readers
        for start in range(0, plan[reader.name], _CHUNK)
    ]
    return sorted(chunks, key=lambda chunk: chunk.start / plan[chunk.reader.name])


def _repeat(reader: Reader, seed: int, index: int, keep: Path | None) -> int:
    """One case, in this process."""
    with _scratch() as folder:
        files = emptied(keep or folder / "files")
        put(files, case(reader, reader.make(), seed, index), {})
        limit()
        ended = outcome(reader, files)
    print(f"{ended.place}\n{ended.told}" if isinstance(ended, Finding) else f"read: {ended}")
    return isinstance(ended, Finding)


@contextlib.contextmanager
def _scratch():
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
