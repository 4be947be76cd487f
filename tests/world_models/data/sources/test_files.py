"""Reference files and pick-and-place archives as sources."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from armillary.world_models.data import DataError, Layout
from armillary.world_models.data.sources import reference_file
from armillary.world_models.data.sources.op3_pickplace import PickPlaceArchive
from armillary.world_models.data.sources.reference_file import ReferenceFile
from tests.world_models.data.conftest import Clips, make_clips, write_clips


def archive(path: Path) -> PickPlaceArchive:
    return PickPlaceArchive(path, "op3_pickplace", "random", "pick and place")


@pytest.mark.parametrize("actions", [True, False])
def test_a_reference_file_is_read_in_blocks(
    tmp_path: Path, clips: dict[str, Clips], monkeypatch: pytest.MonkeyPatch, actions: bool
) -> None:
    monkeypatch.setattr(reference_file, "BLOCK", 2)
    path = tmp_path / "f.h5"
    write_clips(path, clips, Layout.REFERENCE)
    source = ReferenceFile(path, "towel_pick", "recorded", "arm", actions)
    parts = source.parts()
    assert [(part.split, part.start, part.stop) for part in parts] == [
        ("train", 0, 2),
        ("train", 2, 4),
        ("train", 4, 5),
        ("val", 0, 2),
        ("val", 2, 3),
    ]
    for name, expected in clips.items():
        episodes = [e for p in parts if p.split == name for e in source.episodes(p)]
        for i, episode in enumerate(episodes):
            np.testing.assert_array_equal(episode.frames, expected.frames[i])
            np.testing.assert_array_equal(episode.masks, expected.masks[i])
            np.testing.assert_array_equal(episode.extras["poses"], expected.poses[i])
            wanted = expected.actions[i] if actions else np.zeros((6, 0))
            np.testing.assert_array_equal(episode.actions, wanted)
        assert len(episodes) == len(expected.frames)


def test_an_archive_is_read_row_by_row(tmp_path: Path) -> None:
    clips, path = make_clips(3), tmp_path / "f.npz"
    np.savez(path, frames=clips.frames, actions=clips.actions, goal_image=clips.frames[:, 0])
    (part,) = archive(path).parts()
    episodes = list(archive(path).episodes(part))
    assert len(episodes) == 3
    np.testing.assert_array_equal(episodes[2].frames, clips.frames[2])
    np.testing.assert_array_equal(episodes[2].actions, clips.actions[2])


def test_archives_of_another_kind_are_refused(tmp_path: Path) -> None:
    clips, path = make_clips(3), tmp_path / "f.npz"

    def read() -> None:
        list(archive(path).episodes(archive(path).parts()[0]))

    with pytest.raises(DataError, match="no such file"):
        read()
    np.savez(path, frames=clips.frames, action=clips.actions)
    with pytest.raises(DataError, match=r"no array 'actions'.*did you mean 'action'"):
        read()
    np.savez(path, frames=clips.frames, actions=clips.actions[:2])
    with pytest.raises(DataError, match=r"got \(3, 7, 8, 8, 3\) and \(2, 6, 2\)"):
        read()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="its end is missing"):
        read()


def test_the_published_samples_format() -> None:
    folder = os.environ.get("ARMILLARY_SAMPLES")
    if folder is None or not (path := Path(folder) / "op3_pickplace_20.npz").exists():
        pytest.skip("ARMILLARY_SAMPLES names no folder with op3_pickplace_20.npz")
    source = archive(path)
    episodes = [e for part in source.parts() for e in source.episodes(part)]
    assert len(episodes) == 20
    assert episodes[0].frames.shape == (5, 64, 64, 3)
    assert episodes[0].actions.shape == (4, 6)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        ReferenceFile(tmp_path / "none.h5", "towel_pick", "recorded", "arm").parts()
