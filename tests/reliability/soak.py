"""Runs benchmark and training for hours and looks whether their memory and open files stay flat.

    python -m tests.reliability.soak --hours 2 --seed 0 --output soak.json

Both run at once, each in one thread, from their defaults: PushBlocks planned with the bundled
checkpoint, and the first stage of ``train`` with its validation and checkpoints. Every few seconds
the resident memory, the open files and the threads of the process and its children are read from
``/proc``; the last quarter of the time is held against the second. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from armillary.experiments.running.provenance import commit

_GROWTH = 0.05
"""Share by which memory may grow from the second quarter of the time to the last."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """A command and its children at one moment.

    Attributes:
        seconds: since it was started.
        memory: bytes that are resident.
        files: open file descriptors.
        threads: of all processes.
    """

    seconds: float
    memory: int
    files: int
    threads: int


def sample(process: int, seconds: float) -> Sample | None:
    """What ``/proc`` says of a process and its children; None where it has ended."""
    memory = files = threads = 0
    try:
        for one in _family(process):
            proc = Path("/proc", str(one))
            memory += int(proc.joinpath("statm").read_text().split()[1]) * _PAGE
            files += len(list(proc.joinpath("fd").iterdir()))
            threads += len(list(proc.joinpath("task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Sample(seconds, memory, files, threads)


def _family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in children for one in _family(int(child)))]


def verdict(samples: list[Sample]) -> dict[str, object]:
    """The medians of the second and the last quarter of the time, and whether they are alike."""
    end = samples[-1].seconds
    early = [one for one in samples if end / 4 <= one.seconds < end / 2]
    late = [one for one in samples if one.seconds >= end * 3 / 4]
    before, after = (
        {
            name: statistics.median(getattr(one, name) for one in part)
            for name in ("memory", "files", "threads")
        }
        for part in (early, late)
    )
    return {
        "second_quarter": before,
        "last_quarter": after,
        "most": {name: max(getattr(one, name) for one in samples) for name in before},
        "flat": after["memory"] <= before["memory"] * (1 + _GROWTH)
        and after["files"] <= before["files"]
        and after["threads"] <= before["threads"],
    }


def soak(
    words: dict[str, list[str]], folder: Path, seconds: float, every: float
) -> dict[str, list[Sample]]:
    """Runs command lines side by side until the time is over; returns what was seen of each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name, line in words.items():
        with folder.joinpath(f"{name}.txt").open("wb") as console:
            running[name] = subprocess.Popen(
                [sys.executable, "-m", "armillary.experiments.cli", *line],
                cwd=folder,
                env=environment,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
    began = time.monotonic()
    seen: dict[str, list[Sample]] = {name: [] for name in words}
    try:
        while (now := time.monotonic() - began) < seconds:
            for name, process in running.items():
                if process.poll() is not None:
                    told = folder.joinpath(f"{name}.txt").read_text(errors="replace")
                    raise RuntimeError(f"{name} ended after {now:.0f} s:\n{told[-2000:]}")
                if one := sample(process.pid, now):
                    seen[name].append(one)
            time.sleep(every)
    finally:
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        for process in running.values():
            process.wait()
    return seen


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collect = ["collect", "episodes=200", f"seed={given.seed}", "out=episodes.h5", "val=0.1"]
        subprocess.run(
            [sys.executable, "-m", "armillary.experiments.cli", *collect], cwd=folder, check=True
        )
        words = {
            "benchmark": ["benchmark", "simulators=[pretrained/push_blocks]", "episodes=100000"],
            "train": ["train", "data.path=episodes.h5", "trainer.max_steps=2000000"],
        }
        for one, line in words.items():
            line += [f"seed={given.seed}", f"output={one}"]
        seen = soak(words, folder, given.hours * 3600, given.every)
    record = {
        "commit": commit(),
        "python": platform.python_version(),
        "hours": given.hours,
        **{one: {**verdict(seen[one]), "samples": [asdict(s) for s in seen[one]]} for one in seen},
    }
    given.output.write_text(json.dumps(record), "utf-8")
    for one in seen:
        print(one, json.dumps(verdict(seen[one])))


if __name__ == "__main__":
    main()
