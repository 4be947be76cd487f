"""Files are written with room for every byte: a full disk is told, and never met by libhdf5."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from armillary.errors import DataError, RunError
from armillary.experiments.realism.video_writer import VideoWriter
from armillary.hdf5 import writing
from armillary.hdf5.writing import WrittenFile
from armillary.world_models.data import EpisodeWriter, Provenance

COUNT, SHAPE = 6, (5, 32, 32, 3)
WHOLE = COUNT * 5 * 32 * 32 * 3
LIMITS = [0, 100, 500, 2000, 10_000, *range(WHOLE // 4, WHOLE, WHOLE // 4), 2 * WHOLE]


def write_episodes(path: Path) -> None:
    with EpisodeWriter(path, Provenance("e", "p", 0, "a", "c")) as writer:
        for _ in range(COUNT):
            writer.add("train", np.ones(SHAPE, np.uint8), np.zeros((4, 2)))


def write_videos(path: Path) -> None:
    arrays = {"videos": (SHAPE, "u1"), "episode": ((), "i4")}
    with VideoWriter(path, COUNT, arrays, {}, overwrite=False, resume=True).open() as writer:
        for row in np.arange(COUNT)[:, None]:
            writer.write(row, {"videos": np.ones((1, *SHAPE), np.uint8), "episode": row})


def fill(folder: Path) -> None:
    """Writes with less and less room missing, each time from where the time before ended."""
    for write in (write_episodes, write_videos):
        for limit in LIMITS:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            told = ""
            try:
                write(folder / f"{write.__name__}.h5")
            except RunError as error:
                told = str(error)
            gc.collect()  # closes what libhdf5 might have left open
            print(json.dumps([write.__name__, limit, told, sorted(os.listdir(folder))]))
        (folder / f"{write.__name__}.h5").unlink()


def test_a_full_disk(tmp_path: Path) -> None:
    """In a process of its own, which would crash."""
    code = "import sys, pathlib, tests.hdf5.test_writing as t; t.fill(pathlib.Path(sys.argv[1]))"
    words = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parents[2]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=root)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(lines) == 2 * len(LIMITS)
    for name, limit, told, left in lines:
        if limit == LIMITS[-1]:
            assert (told, left) == ("", [f"{name}.h5"])
        else:
            assert "a file cannot be written (File too large); make room" in told, (name, limit)
            assert set(left) <= {f".{name}.h5.parts"}, "whole batches wait"


def numbers(path: Path) -> list[int]:
    with h5py.File(path) as file:
        return file["a"][()].tolist()


def test_a_file_is_written_by_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with WrittenFile(path) as written:
        with written.step() as file:
            file["a"] = np.arange(5)
        written.flush()
        assert path.stat().st_size
        with pytest.raises(BlockingIOError), WrittenFile(path):
            pass
    assert numbers(path) == [0, 1, 2, 3, 4]


def test_every_write_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on file systems that give no warning, and on disks that die."""
    last, calls = 10**9, 0

    class Failing(io.FileIO):
        def write(self, data: memoryview) -> int:  # pyright: ignore
            nonlocal calls
            calls += 1
            if calls > last:
                raise OSError(errno.EIO, "dead")
            return super().write(data[: max(1, len(data) // 2)])

    def opened(path: Path, mode: str, *, buffering: int, opener: Any) -> io.FileIO:
        return Failing(path, mode.replace("b", ""), opener=opener)

    monkeypatch.setattr(writing, "open", opened, raising=False)
    for write, whole, other in (
        (write_episodes, tmp_path / "a.h5", tmp_path / "b.h5"),
        (write_videos, tmp_path / "c.h5", tmp_path / "d.h5"),
    ):
        last, calls = 10**9, 0
        write(whole)
        every = calls
        for failing in (0, 1, *range(2, every, every // 5), every - 1):
            last, calls = failing, 0
            with pytest.raises(RunError, match=r"a file cannot be written \(dead\)"):
                write(other)
            gc.collect()  # closes what libhdf5 might have left open
            last = 10**9
            write(other)  # goes on where it can
            assert other.read_bytes() == whole.read_bytes()
            other.unlink()


def test_signals_wait_until_a_step_is_done(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    done = []
    with WrittenFile(path) as written:
        with pytest.raises(KeyboardInterrupt):  # noqa: SIM117
            with written.step() as file:
                signal.raise_signal(signal.SIGINT)
                file["a"] = np.arange(5)
                done.append(1)
        assert done
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert numbers(path) == [0, 1, 2, 3, 4]


def test_a_text_that_is_too_long(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="'a' must have at most 60000 bytes"),
        WrittenFile(tmp_path / "x.h5") as written,
    ):
        written.set({"a": "x" * 60_001})
