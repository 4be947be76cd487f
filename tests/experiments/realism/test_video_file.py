"""Files of videos are read as they are meant, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.errors import DataError
from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.video_file import VideoFile
from tests.experiments.realism.video_files import random_videos, write

VIDEOS = random_videos(3, size=12)


def test_bytes_and_floats_are_the_same_videos(tmp_path: Path) -> None:
    files = [
        VideoFile(write(tmp_path / f"{kind.__name__}.h5", VIDEOS.astype(kind)))
        for kind in (np.uint8, np.float32, np.float64)
    ]
    assert len(files[0]) == 3
    assert files[0].digests() == files[1].digests() == files[2].digests()
    assert len(set(files[0].digests())) == 3
    assert np.array_equal(files[0].read(np.array([0, 2])), VIDEOS[[0, 2]].astype(np.float32))


def test_attributes_are_those_of_our_own_files(tmp_path: Path) -> None:
    for kind in ("armillary-videos", "another"):
        path = write(tmp_path / f"{kind}.h5", VIDEOS)
        with h5py.File(path, "r+") as file:
            file.attrs.update({"format": kind, "seed": 3, "real": True, "bytes": np.void(b"x")})
    assert VideoFile(tmp_path / "another.h5").attributes == {}
    found = VideoFile(tmp_path / "armillary-videos.h5").attributes
    assert (found["seed"], found["real"]) == (3, True)
    assert type(found["seed"]) is int


def test_missing_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        VideoFile(tmp_path / "no.h5")
    (tmp_path / "text.h5").write_text("no videos")
    with pytest.raises(DataError, match="this is no HDF5 file"):
        VideoFile(tmp_path / "text.h5")
    with pytest.raises(UsageError, match=r"no array 'videos'.*the file holds imgs"):
        VideoFile(write(tmp_path / "other.h5", VIDEOS, name="imgs"))


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        (VIDEOS[0], r"shaped \[N, T, H, W, 3\]"),
        (VIDEOS[..., :1], r"shaped \[N, T, H, W, 3\]"),
        (VIDEOS[:0], "at least one video"),
        (VIDEOS[:, :1], "at least 2 frames each, got 1"),
        (VIDEOS.astype(np.int64), "uint8 or floating point, got int64"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, videos: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        VideoFile(write(tmp_path / "x.h5", videos))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "0..255 without NaN, got nan to nan in video 1"),
        (-3.0, "got -3 to .* in video 1"),
        (256.0, "to 256 in video 1"),
    ],
)
def test_values_out_of_range_are_refused(tmp_path: Path, value: float, message: str) -> None:
    videos = VIDEOS.astype(np.float32)
    videos[1, 2, 3, 4, 0] = value
    with pytest.raises(UsageError, match=message):
        VideoFile(write(tmp_path / "x.h5", videos)).digests()


def test_videos_in_another_range_are_refused(tmp_path: Path) -> None:
    file = VideoFile(write(tmp_path / "x.h5", VIDEOS.astype(np.float32) / 255))
    with pytest.raises(UsageError, match=r"use the range 0..255.*multiply them by 255"):
        file.digests()
