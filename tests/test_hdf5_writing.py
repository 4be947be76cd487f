"""Files are written with room for every byte: a full disk is told, and never met by libhdf5."""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.errors import DataError, RunError
from armillary.experiments.realism.video_writer import VideoWriter
from armillary.hdf5_writing import MARGIN, create, finish, reserve
from armillary.world_models.data import EpisodeWriter, Provenance

COUNT, SHAPE = 40, (5, 16, 16, 3)
WHOLE = COUNT * 5 * 16 * 16 * 3
LIMITS = [100, 3000, MARGIN - 1, MARGIN + 5000, MARGIN + WHOLE // 2, 3 * MARGIN]


def write_episodes(path: Path) -> None:
    with EpisodeWriter(path, Provenance("e", "p", 0, "a", "c")) as writer:
        for _ in range(COUNT):
            writer.add("train", np.ones(SHAPE, np.uint8), np.zeros((4, 2)))


def write_videos(path: Path) -> None:
    arrays = {"videos": (SHAPE, "u1"), "episode": ((), "i4")}
    with VideoWriter(path, COUNT, arrays, {}, overwrite=False, resume=True) as writer:
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
    code = "import sys, pathlib, tests.test_hdf5_writing as t; t.fill(pathlib.Path(sys.argv[1]))"
    words = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parents[1]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=root)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(lines) == 2 * len(LIMITS)
    for name, limit, told, left in lines:
        if limit == LIMITS[-1]:
            assert (told, left) == ("", [f"{name}.h5"])
        else:
            assert "no room for" in told, (name, limit)
            assert "goes on when there is room" in told
            assert left == []


def test_the_room_is_there_before_it_is_written(tmp_path: Path) -> None:
    file = create(tmp_path / "x.h5", {}, "v110")
    size = os.path.getsize(tmp_path / "x.h5")
    reserve(file, 5 * MARGIN)
    assert os.path.getsize(tmp_path / "x.h5") - size >= 5 * MARGIN
    finish(file)
    assert os.path.getsize(tmp_path / "x.h5") < 1000
    with h5py.File(tmp_path / "x.h5") as file:
        assert not list(file)


def test_systems_that_cannot_reserve_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    file = create(tmp_path / "x.h5", {"a": 1}, "v110")
    with pytest.raises(RunError, match="no room for"):
        reserve(file, 2**60)
    file["x"] = np.arange(3)
    finish(file)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["x"][()].tolist() == [0, 1, 2]


def test_a_text_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'a' must have at most 60000 bytes"):
        create(tmp_path / "x.h5", {"a": "x" * 60_001}, "v110")
    assert not list(tmp_path.iterdir())
