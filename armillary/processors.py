"""Which processors this process may use, how many of them are free, and how many threads suit.

Threads of OpenMP wait for each other by spinning. That is right on free processors and ruinous on
busy ones, where a thread spins away the time that the one it waits for needs. So their number
follows what is free. Nothing here imports torch: ``spinning`` has to come before it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SPINS = 50_000
"""Rounds that a thread of libgomp spins before it sleeps; libgomp's own 300,000 are hardly faster
on free processors and cost five times as much on busy ones until the number of threads falls."""
NUMBER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables by which a user says how many threads there are."""
WAITING = (*NUMBER, "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Those by which a user says how threads wait, or that waiting was thought of."""

EVERY = 2.0
"""Seconds between two looks at what is free."""
LATITUDE = 0.35
"""Processors that others may use before there is a thread less: no machine is quite idle."""
FALL_AFTER, RISE_AFTER = 2, 5
"""Looks in a row that must ask for fewer or for more threads."""
FIRST_LOOKS = (0.3, 1.0)
"""Seconds of the looks at the start; a second one is only taken where the first found others."""


def usable(root: Path = Path("/")) -> int:
    """How many processors this process may use, at least 1: its affinity and its cgroup's quota.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    quota = _quota(root)
    count = len(_affinity())
    return count if quota is None else max(1, min(count, int(quota.processors)))


def spinning(environ: Mapping[str, str], loaded: bool) -> dict[str, str]:
    """The environment variables that bound the spinning of threads; none where a user set any.

    Args:
        environ: the environment.
        loaded: whether torch is imported already, which is too late.
    """
    if loaded or any(name in environ for name in WAITING):
        return {}
    return {"GOMP_SPINCOUNT": str(SPINS)}


def set_by_user(environ: Mapping[str, str]) -> bool:
    """Whether a user said in the environment how many threads there are."""
    return any(name in environ for name in NUMBER)


def for_each(processes: int, threads: int, environ: Mapping[str, str]) -> int:
    """How many threads each of several processes has, so that together they fit the processors.

    Args:
        processes: at least 1.
        threads: that one process would have; a number that the user set is that of each.
        environ: the environment.
    """
    if set_by_user(environ):
        return threads
    return max(1, min(threads, usable()) // processes)


def too_many(processes: int, threads: int) -> str:
    """Says that processes have more threads than there are processors; empty where they have not.

    Args:
        processes: that compute at the same time.
        threads: of each.
    """
    here, together = usable(), processes * threads
    if together <= here:
        return ""
    return f"{together} threads share {here} processors and wait for each other"


@dataclass
class Follower:
    """The number of threads that follows what is free, from one look to the next.

    It falls after ``FALL_AFTER`` looks in a row that find fewer processors free, and rises after
    ``RISE_AFTER`` that find more, to what all of them allow.

    Attributes:
        most: greatest number of threads.
        number: of threads now.
        least: smallest number of threads; with ``least == most`` nothing is followed.
    """

    most: int
    number: int
    least: int = 1

    def __post_init__(self) -> None:
        self._seen: list[int] = []

    def see(self, free: float) -> int:
        """Takes a look into account and returns the number of threads.

        Args:
            free: processors that others leave, those that this process uses included.
        """
        wanted = self.suits(free)
        rises = wanted > self.number
        alike = [n for n in self._seen if n != self.number and (n > self.number) == rises]
        self._seen = [] if wanted == self.number else [*alike, wanted]
        if len(self._seen) >= (RISE_AFTER if rises else FALL_AFTER):
            self.number = min(self._seen) if rises else max(self._seen)
            self._seen = []
        return self.number

    def suits(self, free: float) -> int:
        """The number of threads for so many free processors, whatever it is now."""
        return max(self.least, min(self.most, int(free + LATITUDE)))


@dataclass(frozen=True)
class Usage:
    """Processor seconds used since some time in the past.

    Attributes:
        time: of the reading, in seconds.
        own: of this process.
        all: of everybody on the processors that this process may use; None where the system does
            not say.
        group: of all processes that share this one's quota; None without a quota.
    """

    time: float
    own: float
    all: float | None = None
    group: float | None = None


class Meter:
    """Says how many processors were free since it was last asked.

    Where the system counts no use (macOS), the load average of the last minute stands for it.

    Args:
        read: the readings; by default the system's.
        load: the load average.
    """

    def __init__(
        self,
        read: Callable[[], Usage] | None = None,
        load: Callable[[], float] = lambda: os.getloadavg()[0],
    ) -> None:
        self._quota = _quota(Path("/"))
        self._read = read or (lambda: _usage(Path("/"), self._quota))
        self._load = load
        self._last = self._read()

    def free(self, threads: int) -> float:
        """Processors that others left free since the last call, this process's own included.

        Args:
            threads: that this process used.
        """
        before, now = self._last, self._read()
        self._last = now
        count, seconds = len(_affinity()), max(1e-6, now.time - before.time)
        own = now.own - before.own
        if now.all is None or before.all is None:
            return count - max(0.0, self._load() - threads)
        free = count - max(0.0, now.all - before.all - own) / seconds
        if self._quota and now.group is not None and before.group is not None:
            others = max(0.0, now.group - before.group - own) / seconds
            free = min(free, self._quota.processors - others)
        return max(0.0, free)


def first_number(most: int, look: Callable[[float], float] | None = None) -> int:
    """The number of threads to start with, from what is free now; takes a second at most.

    Args:
        most: greatest number.
        look: watches for so many seconds and returns what was free; by default a ``Meter``'s.
    """
    follower = Follower(most, most)
    for seconds in FIRST_LOOKS if most > 1 else ():
        follower.number = follower.suits((look or _look)(seconds))
        if follower.number == most:
            break
    return follower.number


def _look(seconds: float) -> float:
    meter = Meter()
    time.sleep(seconds)
    return meter.free(0)


@dataclass(frozen=True)
class _Quota:
    """The narrowest limit among a process's control groups.

    Attributes:
        processors: that the group may use.
        used: a file that says how much it did.
    """

    processors: float
    used: Path

    def seconds(self) -> float | None:
        """Processor seconds that the group has used; None if the file cannot be read."""
        try:
            words = self.used.read_text(encoding="ascii").split()
            if self.used.name == "cpu.stat":
                return int(words[words.index("usage_usec") + 1]) / 1e6
            return int(words[0]) / 1e9
        except (OSError, ValueError, IndexError):
            return None


def _affinity() -> frozenset[int]:
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _quota(root: Path) -> _Quota | None:
    """The quota of cgroup v2 (``cpu.max``) or v1 (``cpu.cfs_quota_us``), ancestors included."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found: list[_Quota] = []
    for _, controllers, name in (line.split(":", 2) for line in lines):
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        inner = Path(name.strip("/"))
        for folder in (inner, *inner.parents):
            limit = _limit(top / folder)
            if limit is not None:
                used = "cpuacct.usage" if controllers else "cpu.stat"
                found.append(_Quota(limit, top / folder / used))
    return min(found, key=lambda quota: quota.processors, default=None)


def _limit(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii")
                for name in ("quota", "period")
            )
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # there is none, or it is "max"
        return None


def _usage(root: Path, quota: _Quota | None) -> Usage:
    group = None if quota is None else quota.seconds()
    return Usage(time.monotonic(), time.process_time(), _all(root), group)


def _all(root: Path) -> float | None:
    """Busy seconds of the processors of this process, as ``proc(5)`` counts them."""
    try:
        lines = (root / "proc/stat").read_text(encoding="ascii").splitlines()
        rows = [line.split() for line in lines if line.startswith("cpu")][1:]
        ticks = {int(row[0][3:]): [int(word) for word in row[1:9]] for row in rows}
        chosen = [ticks[number] for number in _affinity()]
    except (OSError, ValueError, KeyError):
        return None
    if not any(map(sum, chosen)):  # some sandboxes only have zeros
        return None
    return sum(sum(row) - row[3] - row[4] for row in chosen) / os.sysconf("SC_CLK_TCK")
