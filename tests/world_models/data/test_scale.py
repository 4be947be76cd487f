"""Black and white are found for every split, told, and refused where no picture would come out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.world_models.data import DataError, EpisodeFile
from tests.world_models.data.conftest import make_clips

PICTURES = make_clips(3).frames
Stored = Callable[[np.ndarray], np.ndarray]


def write(path: Path, **splits: np.ndarray) -> Path:
    """Writes frames [N, T, ...] as the splits of a foreign file."""
    with h5py.File(path, "w") as file:
        for name, frames in splits.items():
            count, length = frames.shape[:2]
            file[f"{name}/imgs"] = frames
            file[f"{name}/actions"] = np.zeros((count, length - 1, 1))
    return path


def unit(frames: np.ndarray) -> np.ndarray:
    """In 0..1."""
    return (frames / 255.0).astype(np.float32)


def symmetric(frames: np.ndarray) -> np.ndarray:
    """In -1..1."""
    return (frames / 127.5 - 1.0).astype(np.float32)


def test_every_split_has_a_scale_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "f.h5", train=unit(PICTURES), val=PICTURES.astype(np.float32))
    file = EpisodeFile(path)
    assert "different scales: train 0..1, val 0..255" in caplog.text
    for name in ("train", "val"):
        np.testing.assert_array_equal(file.split(name).frames(1), PICTURES[1])


@pytest.mark.parametrize(
    ("stored", "told", "scale"),
    [
        (symmetric, r"from -1 to 1, neither .*data.scale=\[-1,1\]", [-1, 1]),
        (lambda f: f * 257.0, r"reach 65535, above 255.*data.scale=\[BLACK", [0, 65535]),
        (lambda f: f - 128.0, r"reach from -128 to 127", [-128, 127]),
    ],
)
def test_other_scales_have_a_way_in(
    tmp_path: Path, stored: Stored, told: str, scale: list[float]
) -> None:
    path = write(tmp_path / "f.h5", train=stored(PICTURES))
    with pytest.raises(DataError, match=told):
        EpisodeFile(path)
    file = EpisodeFile(path, scale=scale)
    np.testing.assert_array_equal(file.split("train").frames(1), PICTURES[1])
    assert file.identity["scale"] == {"train": scale}


def test_bytes_of_0_and_1_are_no_pictures_until_that_is_said(tmp_path: Path) -> None:
    binary = (PICTURES > 127).astype(np.uint8)
    path = write(tmp_path / "f.h5", train=binary)
    with pytest.raises(DataError, match=r"none of those sampled is above 1.*data.scale=\[0,1\]"):
        EpisodeFile(path)
    split = EpisodeFile(path, scale=[0, 1]).split("train")
    np.testing.assert_array_equal(split.frames(1), 255 * binary[1])


def test_one_bright_frame_is_enough_for_bytes(tmp_path: Path) -> None:
    dark = np.minimum(PICTURES, 1)
    dark[2, 0, 0, 0] = 200
    split = EpisodeFile(write(tmp_path / "f.h5", train=dark)).split("train")
    np.testing.assert_array_equal(split.frames(2), dark[2])


def test_frames_that_show_nothing_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    EpisodeFile(write(tmp_path / "f.h5", train=PICTURES, val=0 * PICTURES), layout="episodes")
    assert "all sampled frames of 'val' show nothing: every value is 0" in caplog.text


@pytest.mark.parametrize("scale", [[1, 0], [0], [0, "a"], 255, [0, float("nan")]])
def test_an_impossible_scale_is_refused(tmp_path: Path, scale: list[float]) -> None:
    path = write(tmp_path / "f.h5", train=PICTURES)
    with pytest.raises(ArmillaryError, match="a scale must be two numbers"):
        EpisodeFile(path, scale=scale)


def test_nan_does_not_hide_the_scale(tmp_path: Path) -> None:
    frames = unit(PICTURES)
    frames[1, 0, 0, 0, 0] = np.nan
    split = EpisodeFile(write(tmp_path / "f.h5", train=frames)).split("train")
    np.testing.assert_array_equal(split.frames(2), PICTURES[2])
    with pytest.raises(DataError, match="leave the range"):
        split.frames(1)


def test_a_log_names_what_was_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "f.h5", train=unit(PICTURES))
    with caplog.at_level(logging.INFO):
        EpisodeFile(path)
    assert "'train' with a sampled maximum of 1 are taken to be in 0..1" in caplog.text
