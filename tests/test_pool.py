"""Worker processes: results in order, few jobs ahead, and how workers end whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from armillary import processors
from armillary.determinism import deterministic
from armillary.errors import ArmillaryError, RunError
from armillary.pool import AHEAD, Pool, worker_count
from tests.pool_jobs import (
    double,
    end,
    exact,
    prepare,
    prepared,
    refuse,
    refuse_to_start,
    slow_write,
    surroundings,
)

ROOT = Path(__file__).parent.parent
JOBS = "tests.pool_jobs"


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_whatever_the_workers(workers: int) -> None:
    with Pool(workers) as pool:
        assert list(pool.map(double, range(20))) == [2 * number for number in range(20)]
        assert list(pool.map(double, range(3))) == [0, 2, 4], "a second time"
        assert list(pool.map(double, [])) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_few_jobs_are_read_ahead(workers: int) -> None:
    read: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    with Pool(workers) as pool:
        results = pool.map(double, jobs())
        assert [next(results) for _ in range(3)] == [0, 2, 4]
        assert len(read) <= 3 + AHEAD * workers


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mistake_in_a_job_arrives_in_its_turn(workers: int) -> None:
    found = []
    with pytest.raises(ArmillaryError, match="two is no good"), Pool(workers) as pool:
        found.extend(pool.map(refuse, range(2)))
        for number in pool.map(refuse, range(9)):
            found.append(number)
    assert found == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("how", "told"), [("kill", "it was ended by SIGKILL"), ("exit", "it ended with exit code 7")]
)
def test_a_worker_that_dies_is_told_and_the_pool_goes_on(how: str, told: str) -> None:
    pool = Pool(2, hint="try again")
    with pool:
        with pytest.raises(RunError, match=f"a worker process died: {told}") as raised:
            list(pool.map(partial(end, how=how), range(4)))
        assert str(raised.value).endswith("; try again")
        assert list(pool.map(double, range(2))) == [0, 2]


def test_a_worker_that_cannot_be_prepared_is_told() -> None:
    with pytest.raises(RunError, match="could not be prepared"), Pool(1, refuse_to_start) as pool:
        list(pool.map(double, range(2)))


def test_workers_are_prepared_and_have_one_thread() -> None:
    with Pool(1, prepare, ("yes",)) as pool:
        assert list(pool.map(prepared, range(2))) == ["yes", "yes"]
        assert list(pool.map(surroundings, range(1))) == [("1", 1)]


def test_workers_have_deterministic_kernels_if_their_parent_has() -> None:
    with deterministic(True), Pool(2) as pool:
        assert all(pool.map(exact, range(2)))


def test_leaving_by_an_exception_ends_the_workers_and_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Pool(2) as pool:
        results = pool.map(partial(slow_write, tmp_path), began(tmp_path, 2))
        next(results)
    assert_ended(tmp_path)


def began(folder: Path, count: int) -> Iterator[int]:
    """Jobs, and Ctrl-C once they are under way."""
    yield from range(count)
    wait_for(lambda: len(list(folder.glob("began_*"))) == count)
    raise KeyboardInterrupt


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(
    tmp_path: Path, number: signal.Signals
) -> None:
    code = f"from {JOBS} import work_for_long; work_for_long({str(tmp_path)!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    wait_for(lambda: len(list(tmp_path.glob("began_*"))) == 2)
    if number != signal.SIGKILL:
        os.killpg(process.pid, number)  # as a terminal does: to all of them
    else:
        process.kill()
    _, told = process.communicate(timeout=20)
    assert_ended(tmp_path)
    of_its_own = {signal.SIGINT: 1, signal.SIGHUP: 1, signal.SIGKILL: 0}[number]
    assert told.count("Traceback") == of_its_own, "of the process, not of its workers"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def assert_ended(folder: Path) -> None:
    """No worker is left, nor what it was writing."""
    pids = [int(path.read_text()) for path in folder.glob("began_*")]
    assert len(pids) == 2
    wait_for(lambda: not any(runs(pid) for pid in pids))
    wait_for(lambda: not list(folder.glob(".*")))
    assert not list(folder.glob("result_*"))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_how_many_workers_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("armillary.pool.usable", lambda: 6)
    assert worker_count(-1, 100) == 6
    assert worker_count(-1) == 6
    assert worker_count(4, 3) == 3
    assert [worker_count(0, 9), worker_count(1, 9), worker_count(-1, 1)] == [0, 0, 0]


def test_nothing_else_starts_processes_for_itself() -> None:
    folders = ("agent", "envs", "experiments", "planners")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    for path in (*files, ROOT / "world_models" / "oracle.py"):
        text = path.read_text(encoding="utf-8")
        looked_at = text.replace("import multiprocessing\n", "")  # who is there, says anybody
        assert "multiprocessing" not in looked_at.replace("multiprocessing.active_children", ""), (
            path
        )
        assert "ProcessPoolExecutor" not in text, path


def test_workers_with_more_threads_than_there_are_processors_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processors, "usable", lambda: 2)
    caplog.set_level("INFO")
    for threads in (1, 2):
        with Pool(2, threads=threads) as pool:
            assert list(pool.map(abs, [-1, -2])) == [1, 2]
    assert caplog.messages == ["2 workers: 4 threads share 2 processors and wait for each other"]
