"""Runs many cases in processes that may crash or hang; a finding is kept, and the next case run."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import logging
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.reliability.fuzz.outcome import SECONDS, Finding, emptied, limit, outcome, put
from tests.reliability.fuzz.reader import Files, Reader, case

_FORK = multiprocessing.get_context("fork")
_COLLECT = 100
"""Cases between two collections of garbage, which closes files that errors hold."""
_STUCK = 120.0
"""Seconds of the clock after which a case is taken to hang, whatever its processor time."""
_LEAST_FILES = 50


@dataclass(frozen=True)
class Chunk:
    """Cases ``start`` .. ``stop`` - 1 of a reader."""

    reader: Reader
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Of the chunk, in a record."""
        return f"{self.reader.name}/{self.start}-{self.stop}"


@dataclass
class Result:
    """What came of cases.

    Attributes:
        accepted: files that were read.
        refused: files that were refused with an error of ours.
        findings: by the case's index.
        seconds: of processor time.
    """

    accepted: int = 0
    refused: int = 0
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    seconds: float = 0.0


def run(
    chunks: Sequence[Chunk], seed: int, workers: int, scratch: Path
) -> Iterator[tuple[Chunk, Result]]:
    """Runs chunks in several processes; yields each when it is done.

    Args:
        chunks: of cases.
        seed: of the cases.
        workers: how many processes.
        scratch: an existing folder, best in memory.
    """
    left = list(reversed(chunks))
    whole: dict[str, list[Files]] = {}
    running: list[_Running] = []
    gc.collect()
    gc.freeze()  # what children collect is theirs
    while left or running:
        while left and len(running) < workers:
            chunk = left.pop()
            if chunk.reader.name not in whole:
                whole[chunk.reader.name] = chunk.reader.make()
            taken = {process.slot for process in running}
            slot = next(number for number in range(workers) if number not in taken)
            running.append(_Running(chunk, whole[chunk.reader.name], seed, slot, scratch))
        time.sleep(0.01)
        for process in list(running):
            if process.ended():
                running.remove(process)
                yield process.chunk, process.result


class _Running:
    """A chunk that is being run, in a new process after every crash."""

    def __init__(
        self, chunk: Chunk, whole: list[Files], seed: int, slot: int, scratch: Path
    ) -> None:
        self.chunk, self.slot, self.result = chunk, slot, Result()
        self._whole, self._seed, self._folder = whole, seed, scratch / str(slot)
        self._counts = _FORK.RawArray(ctypes.c_int64, 3)
        self._counts[0] = chunk.start
        self._began = time.monotonic()
        self._process = self._forked()

    def ended(self) -> bool:
        """Whether it is done; goes on behind a case that crashed or hung."""
        if self._process.is_alive():
            self._watch()
            return False
        self._process.join()
        self.result.seconds += self._taken
        code = self._process.exitcode
        crashed = self._counts[0] < self.chunk.stop
        if crashed:
            hung = self._killed
            kind = "hang" if hung else "crash"
            told = _text(self._folder / "crash")[-1500:]
            where = f"killed after {self._killed:.0f} s" if hung else f"exit {code}"
            place = f"{kind} ({'killed' if hung else where}){_deepest(told)}"
            self._note(self._counts[0], Finding(kind, place, f"{where}\n{told}"))
            self._counts[0] += 1
        for line in _text(self._folder / "findings").splitlines():
            index, finding = json.loads(line)
            self._note(index, Finding(**finding))
        if self._counts[0] < self.chunk.stop:
            self._process = self._forked()
            return False
        self.result.accepted, self.result.refused = self._counts[1], self._counts[2]
        return True

    def _note(self, index: int, finding: Finding) -> None:
        self.result.findings.append((index, finding))

    def _forked(self) -> BaseProcess:
        emptied(self._folder)
        self._killed, self._taken, self._last = 0.0, 0.0, (-1, 0.0, time.monotonic())
        process = _FORK.Process(
            target=_cases,
            args=(self.chunk, self._counts[0], self._whole, self._seed, self._counts, self._folder),
        )
        process.start()
        return process

    def _watch(self) -> None:
        """Kills the process if it has been at one case for too long."""
        now, index, spent = time.monotonic(), self._counts[0], _processor_time(self._process.pid)
        self._taken = max(spent, self._taken)
        if index != self._last[0]:
            self._last = (index, spent, now)
        elif spent - self._last[1] > 3 * SECONDS or now - self._last[2] > _STUCK:
            self._killed = max(spent - self._last[1], 0.1)
            self._process.kill()


def _cases(
    chunk: Chunk, start: int, whole: list[Files], seed: int, counts: Any, folder: Path
) -> None:
    """The process: runs cases in their order, and notes where it is."""
    quiet(folder)
    limit()
    reader, former = chunk.reader, {}
    files = emptied(folder / "files")
    before = len(os.listdir("/proc/self/fd"))
    with open(folder / "findings", "w", encoding="utf-8") as found:
        for index in range(start, chunk.stop):
            counts[0] = index
            if reader.writes:
                emptied(files)
                former = {}
            damaged = case(reader, whole, seed, index)
            put(files, damaged, former)
            former = damaged
            ended = outcome(reader, files)
            if index % _COLLECT == 0:
                gc.collect()
                open_files = len(os.listdir("/proc/self/fd")) - before
                if open_files > _LEAST_FILES:
                    ended = Finding("leak", "files left open", f"{open_files} files are open")
                    before += open_files
            if isinstance(ended, Finding):
                found.write(json.dumps([index, asdict(ended)]) + "\n")
                found.flush()
            else:
                counts[1 if ended else 2] += 1
        counts[0] = chunk.stop
    os._exit(0)


def quiet(folder: Path) -> None:
    """Sends what readers print to nowhere, and the traceback of a crash into a file."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    faulthandler.enable(open(folder / "crash", "w", encoding="utf-8"), all_threads=False)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _processor_time(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _deepest(told: str) -> str:
    """Where a crash happened, by the traceback that Python leaves."""
    frames = [line.strip() for line in told.splitlines() if line.strip().startswith("File")]
    return f" in {frames[0]}" if frames else ""
