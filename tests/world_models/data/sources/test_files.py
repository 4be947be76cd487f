"""Reference files and pick-and-place archives as sources."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from armillary.world_models.data import DataError, Layout
from armillary.world_models.data.sources import reference_file
from armillary.world_models.data.sources.archive import stored
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


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_read_one_at_a_time_in_any_order(
    tmp_path: Path, compressed: bool, order: str
) -> None:
    clips, path = make_clips(3), tmp_path / "f.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, frames=np.array(clips.frames, order=order), actions=clips.actions)  # type: ignore
    rows = stored(path, "frames").rows()
    np.testing.assert_array_equal(next(rows), clips.frames[0])
    np.testing.assert_array_equal(np.stack([*rows]), clips.frames[1:])


@pytest.mark.parametrize(
    ("shape", "content", "message"),
    [
        ((10**6, 10**6, 4), b"", "are not 0 bytes"),
        ((10**12, 0, 4), b"", "must hold numbers"),
        ((2, 2), b"\0" * 16, "are not 16 bytes"),
        ((), b"\0" * 8, "must hold numbers"),
    ],
)
def test_an_array_that_promises_what_it_has_not_is_refused(
    tmp_path: Path, shape: tuple[int, ...], content: bytes, message: str
) -> None:
    path, head = tmp_path / "f.npz", io.BytesIO()
    said = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, said)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("frames.npy", head.getvalue() + content)
    with pytest.raises(DataError, match=message):
        stored(path, "frames")


def test_a_changed_byte_and_a_missing_end_are_noticed(tmp_path: Path) -> None:
    clips, path = make_clips(3), tmp_path / "f.npz"
    np.savez(path, frames=clips.frames, actions=clips.actions)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(DataError, match="damaged"):
        for name in ("frames", "actions"):
            list(stored(path, name).rows())
    for length in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="no archive, or its end"):
            stored(path, "frames")
