"""A file of videos is whole or not there, and continued where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.video_writer import VideoWriter

COUNT, SHAPE = 7, (2, 4, 4, 3)


class KilledError(BaseException):
    """Ends a block as a signal does."""


def writer(path: Path, **more: Any) -> VideoWriter:
    attributes = {"model": "m", "seed": 3, "flag": True, **more.pop("attributes", {})}
    settings = {"overwrite": False, "resume": True, **more}
    arrays = {"videos": (SHAPE, "uint8"), "episode": ((), "int32"), "empty": ((0,), "float32")}
    return VideoWriter(path, COUNT, arrays, attributes, **settings)


def entries(rows: np.ndarray) -> dict[str, np.ndarray]:
    videos = np.full((len(rows), *SHAPE), 1, np.uint8) * rows[:, None, None, None, None]
    return {
        "videos": videos.astype(np.uint8),
        "episode": rows.astype(np.int32),
        "empty": np.zeros((len(rows), 0), np.float32),
    }


def begin(path: Path, *batches: list[int]) -> None:
    with pytest.raises(KilledError), writer(path).open() as file:
        for rows in batches:
            file.write(np.array(rows), entries(np.array(rows)))
        raise KilledError


def test_a_whole_file_appears_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "new" / "videos.h5"
    with writer(path).open() as file:
        assert not path.exists()
        file.write(file.missing(), entries(file.missing()))
    with h5py.File(path) as file:
        assert sorted(file) == ["empty", "episode", "videos"]
        assert file["videos"].shape == (COUNT, *SHAPE)
        assert file["videos"].dtype == np.uint8
        assert file["videos"][:, 0, 0, 0, 0].tolist() == list(range(COUNT))
        assert (file.attrs["format"], file.attrs["format_version"]) == (b"armillary-videos", 1)
        assert (file.attrs["model"], file.attrs["seed"]) == (b"m", 3)
    assert [p.name for p in path.parent.iterdir()] == ["videos.h5"]


def test_an_interrupted_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "videos.h5"
    begin(path, [0, 1, 4])
    assert not path.exists()
    with writer(path).open() as file:
        assert file.missing().tolist() == [2, 3, 5, 6]
        file.write(file.missing(), entries(file.missing()))
    with h5py.File(path) as file:
        assert file["episode"][()].tolist() == list(range(COUNT))


@pytest.mark.parametrize("more", [{"resume": False}, {"attributes": {"seed": 4}}])
def test_other_settings_start_anew(tmp_path: Path, more: dict[str, Any]) -> None:
    path = tmp_path / "videos.h5"
    begin(path, [0, 1])
    with pytest.raises(KilledError), writer(path, **more).open() as file:
        assert len(file.missing()) == COUNT
        raise KilledError
    assert not any(tmp_path.iterdir()), "nothing was written, so nothing is kept"


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b[:-50] + b[-40:], lambda b: b""])
def test_a_damaged_batch_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "videos.h5"
    begin(path, [0, 1], [2, 4])
    first, _ = sorted((tmp_path / ".videos.h5.parts").iterdir())
    first.write_bytes(damage(first.read_bytes()))
    with writer(path).open() as file:
        assert file.missing().tolist() == [0, 1, 3, 5, 6]
        file.write(file.missing(), entries(file.missing()))
    with h5py.File(path) as file:
        assert file["episode"][()].tolist() == list(range(COUNT))


def test_flipped_pixels_of_a_batch_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "videos.h5"
    begin(path, [3, 4])
    (batch,) = (tmp_path / ".videos.h5.parts").iterdir()
    content = batch.read_bytes()
    video = entries(np.array([3]))["videos"].tobytes()
    assert content.count(video) == 1
    batch.write_bytes(content.replace(video, video[:-1] + b"9"))
    with pytest.raises(KilledError), writer(path).open() as file:
        assert len(file.missing()) == COUNT
        raise KilledError


def test_the_same_bytes_however_they_came(tmp_path: Path) -> None:
    begin(tmp_path / "a.h5", [0, 2, 5], [1, 3])
    for name, size in (("a.h5", 1), ("b.h5", COUNT)):
        with writer(tmp_path / name).open() as file:
            missing = file.missing()
            for start in range(0, len(missing), size):
                rows = missing[start : start + size]
                file.write(rows, entries(rows))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_taken_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "videos.h5"
    path.write_text("precious")
    with pytest.raises(UsageError, match="exists; choose another file or add overwrite=true"):
        writer(path)
    with writer(path, overwrite=True).open() as file:
        file.write(np.arange(COUNT), entries(np.arange(COUNT)))
        assert path.read_text() == "precious"
    assert h5py.is_hdf5(path)
    with pytest.raises(ArmillaryError, match="is a directory"):
        writer(tmp_path)
