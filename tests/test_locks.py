"""Locks: one writer at a time, told to others, free once its process is dead."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from armillary.errors import ArmillaryError
from armillary.locks import is_locked, lock_path, locked

fcntl = pytest.importorskip("fcntl")

HOLD = """
import sys, time
from pathlib import Path
from armillary.locks import locked
with locked(Path(sys.argv[1]), "armillary train output=run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_writes(tmp_path: Path, holder: subprocess.Popen) -> None:
    assert is_locked(tmp_path)
    told = rf"process {holder.pid} on \S+ since \S+ \(armillary train output=run\)"
    with pytest.raises(ArmillaryError, match=told), locked(tmp_path, "mine"):
        pass


def test_what_a_dead_process_held_is_free(tmp_path: Path, holder: subprocess.Popen) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock_path(tmp_path).exists()
    assert not is_locked(tmp_path)
    with locked(tmp_path, "mine"):
        assert is_locked(tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("spelling", ["{}", "{}/../{name}", "{}.link"])
def test_a_place_is_the_same_however_it_is_spelt(tmp_path: Path, spelling: str) -> None:
    place = tmp_path / "d.h5"
    (tmp_path / "d.h5.link").symlink_to(place)
    other = tmp_path / "sub" / ".." / "d.h5" if "name" in spelling else Path(spelling.format(place))
    (tmp_path / "sub").mkdir()
    with (
        locked(place, "first"),
        pytest.raises(ArmillaryError, match="first"),
        locked(other, "mine"),
    ):
        pass
    with locked(other, "second"):
        pass


def test_of_many_at_once_one_writes(tmp_path: Path) -> None:
    code = HOLD.replace("time.sleep(60)", "time.sleep(0.5)")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    several = [
        subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment) for _ in range(4)
    ]
    started = time.monotonic()
    ended = [process.communicate(timeout=60)[0] for process in several]
    assert 1 <= ended.count(b"held\n") <= 1 + (time.monotonic() - started) / 0.5
    assert not any(tmp_path.iterdir())


def test_a_process_that_was_forked_holds_no_lock(tmp_path: Path) -> None:
    with locked(tmp_path, "mine"):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        with locked(tmp_path, "the next"):
            assert is_locked(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_fork_that_unwinds_leaves_the_lock_of_its_parent(tmp_path: Path) -> None:
    with locked(tmp_path, "mine"):
        lock = locked(tmp_path / "inner", "mine too")
        lock.__enter__()
        if (child := os.fork()) == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        assert is_locked(tmp_path / "inner")
        lock.__exit__(None, None, None)
        assert not is_locked(tmp_path / "inner")


def test_a_look_at_a_lock_keeps_nobody_out(tmp_path: Path) -> None:
    path = lock_path(tmp_path)
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.08, os.close, (looking,)).start()
    with locked(tmp_path, "mine"):
        pass


def test_a_file_system_without_locks_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, "mine"):
        pass
    assert "no locks" in caplog.text


def test_a_link_in_the_place_of_a_lock_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    lock_path(tmp_path / "d.h5").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path / "d.h5", "mine"):
        pass
    assert (tmp_path / "precious").read_text() == "mine"
