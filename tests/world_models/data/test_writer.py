"""What the writer stores reads back, and nothing half-written or invalid ever appears."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from armillary.world_models.data import DataError, EpisodeFile, EpisodeWriter, Layout
from tests.world_models.data.conftest import PROVENANCE, Clips, make_clips, write_clips


@pytest.mark.parametrize("layout", list(Layout))
def test_what_is_written_reads_back(
    tmp_path: Path, clips: dict[str, Clips], layout: Layout
) -> None:
    path = tmp_path / "file.h5"
    write_clips(path, clips, layout)
    file = EpisodeFile(path)
    assert file.layout is layout
    for name, expected in clips.items():
        split = file.split(name)
        assert len(split) == len(expected.frames)
        for i in range(len(split)):
            np.testing.assert_array_equal(split.frames(i), expected.frames[i])
            np.testing.assert_array_equal(split.actions(i), expected.actions[i])
            np.testing.assert_array_equal(split.labels(i), expected.masks[i])
            np.testing.assert_array_equal(split.extra("poses", i), expected.poses[i])


def test_a_file_says_what_it_holds(episode_path: Path) -> None:
    attributes = EpisodeFile(episode_path).attributes
    assert len(attributes.pop("content_id")) == 64
    assert attributes == {
        "format": "armillary-episodes",
        "format_version": 1,
        "layout": "episodes",
        "environment": PROVENANCE.environment,
        "policy": "scripted",
        "seed": 3,
        "action_meaning": "pusher displacement",
        "command": PROVENANCE.command,
        "image_size": 8,
        "action_size": 2,
        "num_blocks": 3,
    }


def test_frames_lie_uncompressed_one_episode_per_chunk(episode_path: Path) -> None:
    with h5py.File(episode_path) as file:
        imgs = file["train/imgs"]
        assert isinstance(imgs, h5py.Dataset)
        assert imgs.chunks == (1, 7, 8, 8, 3)
        assert imgs.compression is None


def test_large_extra_arrays_lie_one_episode_per_chunk(tmp_path: Path) -> None:
    clips = make_clips(2)
    second = np.zeros((7, 64, 64, 3), np.uint8)
    with EpisodeWriter(tmp_path / "f.h5", PROVENANCE) as writer:
        for i in range(2):
            extras = {"imgs_main": second, "poses": clips.poses[i]}
            writer.add("train", clips.frames[i], clips.actions[i], extras=extras)
    with h5py.File(tmp_path / "f.h5") as file:
        large, small = file["train/imgs_main"], file["train/poses"]
        assert isinstance(large, h5py.Dataset)
        assert isinstance(small, h5py.Dataset)
        assert (large.chunks or ())[0] == 1
        assert (small.chunks or ())[0] > 1


def test_action_free_episodes(tmp_path: Path) -> None:
    clips = dataclasses.replace(make_clips(2), actions=np.zeros((2, 6, 0), np.float32))
    write_clips(tmp_path / "free.h5", {"train": clips})
    file = EpisodeFile(tmp_path / "free.h5")
    assert file.action_size == 0
    assert file.split("train").actions(1, 2, 5).shape == (2, 0)


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    clips = make_clips(1)
    with (
        pytest.raises(KeyboardInterrupt),
        EpisodeWriter(tmp_path / "file.h5", PROVENANCE) as writer,
    ):
        writer.add("train", clips.frames[0], clips.actions[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def write_and_die(target: Path) -> None:
    """Is killed after its first episode, with no chance to clean up."""
    clips = make_clips(1)
    with EpisodeWriter(target, PROVENANCE) as writer:
        writer.add("train", clips.frames[0], clips.actions[0])
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_writer_leaves_no_target(tmp_path: Path) -> None:
    target = tmp_path / "file.h5"
    process = multiprocessing.get_context("fork").Process(target=write_and_die, args=(target,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not target.exists()
    write_clips(target, {"train": make_clips(1)})
    assert len(EpisodeFile(target).split("train")) == 1


def test_an_existing_file_stays_unless_overwriting_is_allowed(
    episode_path: Path, clips: dict[str, Clips]
) -> None:
    before = episode_path.read_bytes()
    with (
        pytest.raises(DataError, match="exists"),
        EpisodeWriter(episode_path, PROVENANCE),
    ):
        pass
    assert episode_path.read_bytes() == before

    train = clips["train"]
    with EpisodeWriter(episode_path, PROVENANCE, overwrite=True) as writer:
        writer.add("train", train.frames[0], train.actions[0])
        assert episode_path.read_bytes() == before, "the old file must last until the new is whole"
    assert len(EpisodeFile(episode_path).split("train")) == 1


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    path, clips = tmp_path / "file.h5", make_clips(1)
    with (
        pytest.raises(DataError, match="exists"),
        EpisodeWriter(path, PROVENANCE) as writer,
    ):
        writer.add("train", clips.frames[0], clips.actions[0])
        path.write_text("someone else's")
    assert path.read_text() == "someone else's"


def test_no_episode_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no episode"), EpisodeWriter(tmp_path / "f.h5", PROVENANCE):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=r"folder .*nowhere does not exist"),
        EpisodeWriter(tmp_path / "nowhere" / "f.h5", PROVENANCE),
    ):
        pass


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"note": None}, "'note' must be a text or a number, got NoneType"),
        ({"layout": "mine"}, "'layout' has a meaning"),
    ],
)
def test_attributes_are_checked_before_the_first_episode(
    tmp_path: Path, extra: dict[str, Any], message: str
) -> None:
    with (
        pytest.raises(DataError, match=message),
        EpisodeWriter(tmp_path / "f.h5", dataclasses.replace(PROVENANCE, extra=extra)),
    ):
        pytest.fail("the writer opened")


def _bad_episodes() -> dict[str, tuple[dict[str, Any], str]]:
    clips = make_clips(1)
    frames, actions, masks = clips.frames[0], clips.actions[0], clips.masks[0]
    nan = actions.copy()
    nan[4, 1] = np.nan
    good = {"split": "train", "frames": frames, "actions": actions, "masks": masks}
    return {
        "split": ({**good, "split": "trian"}, "split must be one of train, val, test"),
        "float frames": ({**good, "frames": frames / 255.0}, "frames must be uint8"),
        "channels": ({**good, "frames": frames[..., :2]}, r"frames must be \(T, H, W, 3\)"),
        "not square": ({**good, "frames": frames[:, :4]}, "H = W"),
        "actions": ({**good, "actions": actions[:-1]}, r"actions must be \(6, A\)"),
        "nan": ({**good, "actions": nan}, r"actions must be finite.*\[4, 1\]"),
        "overflow": ({**good, "actions": np.full((6, 2), 1e300)}, "actions must be finite"),
        "text": ({**good, "actions": np.full((6, 2), "a")}, "actions must be numbers"),
        "masks": ({**good, "masks": masks[:, :4]}, r"masks must be \(7, 8, 8\) uint8"),
        "mask type": ({**good, "masks": masks.astype(int)}, "masks must be .* uint8"),
        "extra": ({**good, "extras": {"poses": clips.poses[0, :-1]}}, r"poses must be \(7, ...\)"),
        "name": ({**good, "extras": {"imgs": clips.poses[0]}}, "cannot be named 'imgs'"),
        "short": ({**good, "frames": frames[:1], "actions": actions[:0]}, "at least 2"),
    }


@pytest.mark.parametrize("case", list(_bad_episodes()))
def test_a_bad_episode_is_refused_and_the_good_ones_kept(tmp_path: Path, case: str) -> None:
    arguments, message = _bad_episodes()[case]
    clips = make_clips(1)
    with EpisodeWriter(tmp_path / "f.h5", PROVENANCE) as writer:
        with pytest.raises(DataError, match=message):
            writer.add(**arguments)
        writer.add("train", clips.frames[0], clips.actions[0])
    assert len(EpisodeFile(tmp_path / "f.h5").split("train")) == 1


def test_later_episodes_must_be_like_the_first(tmp_path: Path) -> None:
    first, longer = make_clips(1), make_clips(1, length=9)
    with EpisodeWriter(tmp_path / "f.h5", PROVENANCE) as writer:
        writer.add("train", first.frames[0], first.actions[0], first.masks[0])
        with pytest.raises(DataError, match="same shapes: the first had imgs"):
            writer.add("val", longer.frames[0], longer.actions[0], longer.masks[0])
        with pytest.raises(DataError, match="masks"):
            writer.add("train", first.frames[0], first.actions[0])
    assert list(EpisodeFile(tmp_path / "f.h5").splits) == ["train"]


def test_adding_outside_the_block_is_an_error(tmp_path: Path) -> None:
    clips = make_clips(1)
    with pytest.raises(DataError, match="with block"):
        EpisodeWriter(tmp_path / "f.h5", PROVENANCE).add("train", clips.frames[0], clips.actions[0])
