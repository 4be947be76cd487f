"""How many processors there are, how many are free, and how many threads that makes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from armillary import processors
from armillary.processors import FALL_AFTER, RISE_AFTER, SPINS, Follower, Meter, Usage

HERE = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may use processors 1, 2, 3 and 5."""
    monkeypatch.setattr(processors, "_affinity", lambda: frozenset({1, 2, 3, 5}))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 4),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 4),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n"}, 3),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 4),
        (
            {
                "proc/self/cgroup": "7:pids:/x\n4:cpu,cpuacct:/docker/x\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
    ],
    ids=["none", "unlimited", "v2", "ancestor", "half", "wide", "v1"],
)
def test_usable_processors_are_those_of_affinity_and_quota(
    four: None, tmp_path: Path, files: dict[str, str], count: int
) -> None:
    assert processors.usable(write(tmp_path, files)) == count


def test_usable_is_what_this_process_has() -> None:
    assert 1 <= processors.usable() <= HERE


@pytest.mark.parametrize("name", processors.WAITING)
def test_spinning_is_bounded_unless_the_user_said_how_threads_wait(name: str) -> None:
    assert processors.spinning({"HOME": "/"}, loaded=False) == {"GOMP_SPINCOUNT": str(SPINS)}
    assert processors.spinning({name: "3"}, loaded=False) == {}
    assert processors.spinning({}, loaded=True) == {}


@pytest.mark.parametrize(
    ("given", "expected"), [({}, str(SPINS)), ({"OMP_NUM_THREADS": "1"}, "None")]
)
def test_the_command_bounds_spinning_before_torch_is_there(
    given: dict[str, str], expected: str
) -> None:
    code = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Watch())
import armillary.experiments.cli, torch
"""
    kept = {n: v for n, v in os.environ.items() if n not in processors.WAITING}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **given}, capture_output=True, text=True
    )
    assert done.stdout.split() == [expected], done.stderr


def test_threads_fall_and_rise_only_after_several_looks_in_a_row() -> None:
    follower = Follower(most=4, number=4)
    assert [follower.see(1.0) for _ in range(FALL_AFTER)] == [4] * (FALL_AFTER - 1) + [1]
    rising = [follower.see(3.9) for _ in range(RISE_AFTER)]
    assert rising == [1] * (RISE_AFTER - 1) + [4]
    interrupted = [1.0, 4.0] * 5
    assert [follower.see(free) for free in interrupted] == [4] * 10


def test_threads_rise_to_what_every_look_allows_and_fall_no_further_than_needed() -> None:
    follower = Follower(most=8, number=2)
    for free in (8.0, 5.0, 8.0, 8.0, 8.0):
        follower.see(free)
    assert follower.number == 5
    for free in (1.0, 3.0):
        follower.see(free)
    assert follower.number == 3


def test_others_that_use_little_cost_no_thread_and_one_thread_always_stays() -> None:
    follower = Follower(most=2, number=2)
    assert [follower.suits(free) for free in (2.0, 1.7, 1.6, 1.0, 0.0)] == [2, 2, 1, 1, 1]
    fixed = Follower(most=3, number=3, least=3)
    assert {fixed.see(0.0) for _ in range(20)} == {3}


def meter(*usages: Usage, load: float = 0.0) -> Meter:
    readings = iter(usages)
    return Meter(lambda: next(readings), lambda: load)


def test_free_is_what_others_leave(four: None) -> None:
    told = meter(Usage(0, 0, 100), Usage(2, 4, 107), Usage(4, 5, 108), Usage(5, 5, 112.5))
    assert [told.free(2) for _ in range(3)] == [2.5, 4.0, 0.0]


def test_the_quota_counts_where_it_is_narrower(
    four: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quota = processors._Quota(2.0, tmp_path / "cpu.stat")
    monkeypatch.setattr(processors, "_quota", lambda _: quota)
    told = meter(Usage(0, 0, 0, 0), Usage(1, 0.5, 0.5, 0.5), Usage(2, 1, 2.5, 2.0))
    assert [told.free(1) for _ in range(2)] == [2.0, 1.0]
    write(
        tmp_path, {"cpu.stat": "usage_usec 1500000\nuser_usec 1\n", "cpuacct.usage": "2500000000\n"}
    )
    assert quota.seconds() == 1.5
    assert processors._Quota(2.0, tmp_path / "cpuacct.usage").seconds() == 2.5
    assert processors._Quota(2.0, tmp_path / "none").seconds() is None


def test_without_counts_the_load_average_stands_for_them(four: None) -> None:
    told = meter(*[Usage(time, 0) for time in range(3)], load=3.0)
    assert told.free(2) == 3.0
    assert told.free(4) == 4.0


STAT = """cpu  0 0 0 0 0 0 0 0 0 0
cpu0 9 9 9 9 9 9 9 9 9 9
cpu1 1 2 3 1000 50 4 5 6 7 8
cpu2 10 0 0 1000 0 0 0 0 0 0
cpu3 0 0 0 1000 0 0 0 0 0 0
cpu5 100 0 0 1000 0 0 0 0 0 0
intr 5
"""


def test_use_is_read_for_the_processors_of_this_process(four: None, tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    write(tmp_path, {"proc/stat": STAT})
    assert processors._all(tmp_path) == pytest.approx((21 + 10 + 100) / tick)


@pytest.mark.parametrize(
    "text", ["", "cpu 1 2 3\ncpu1 1 2\n", "".join(f"cpu{n} 0 0 0 0 0 0 0 0\n" for n in range(6))]
)
def test_unreadable_counts_are_none(four: None, tmp_path: Path, text: str) -> None:
    assert processors._all(tmp_path) is None
    assert processors._all(write(tmp_path, {"proc/stat": text})) is None


@pytest.mark.parametrize(
    ("looks", "most", "number"),
    [([], 1, 1), ([2.0], 2, 2), ([0.5, 2.0], 2, 2), ([0.5, 0.7], 2, 1), ([3.0, 5.0], 8, 5)],
)
def test_the_first_number_is_checked_again_where_others_were_seen(
    looks: list[float], most: int, number: int
) -> None:
    left: Iterable[float] = iter(looks)
    assert processors.first_number(most, lambda _: next(left)) == number  # type: ignore[call-overload]
    assert list(left) == []


def test_first_number_reads_this_machine() -> None:
    assert 1 <= processors.first_number(HERE) <= HERE


def test_more_threads_than_processors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "usable", lambda: 4)
    assert processors.too_many(2, 2) == ""
    told = processors.too_many(3, 2)
    assert told == "6 threads share 4 processors and wait for each other"
