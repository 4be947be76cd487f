"""A file's digest follows its content, not its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.world_models.data import EpisodeFile, Layout, identity
from armillary.world_models.data.identity import CONTENT_ID, changed, content_digest
from tests.world_models.data.conftest import Clips, make_clips, write_clips


@pytest.mark.parametrize("whole", [True, False])
def test_it_follows_the_content_and_not_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    if not whole:
        monkeypatch.setattr(identity, "_WHOLE", 100)
        monkeypatch.setattr(identity, "_SAMPLE", 16)
    content = bytes(range(256)) * 20
    one, same = tmp_path / "one.h5", tmp_path / "two.h5"
    one.write_bytes(content)
    same.write_bytes(content)
    assert content_digest(one) == content_digest(same)
    for other in (content[:-1], content + b"x", b"x" + content[1:], content[:-1] + b"x"):
        same.write_bytes(other)
        assert content_digest(one) != content_digest(same)


def test_a_large_file_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_WHOLE", 0)
    monkeypatch.setattr(identity, "_SAMPLES", 3)
    monkeypatch.setattr(identity, "_SAMPLE", 4)
    path = tmp_path / "data"
    path.write_bytes(b"aaaa......bbbb......cccc")
    first = content_digest(path)
    path.write_bytes(b"aaaa..x...bbbb......cccc")
    assert content_digest(path) == first
    path.write_bytes(b"aaaa......bxbb......cccc")
    assert content_digest(path) != first


def test_a_copy_is_the_same_data_and_another_seed_is_not(
    tmp_path: Path, episode_path: Path, clips: dict[str, Clips]
) -> None:
    here = EpisodeFile(episode_path).identity
    copied = tmp_path / "elsewhere.h5"
    shutil.copy(episode_path, copied)
    assert changed(EpisodeFile(copied).identity, here) is None
    copied.unlink()
    write_clips(copied, {**clips, "val": make_clips(3, seed=7)})
    told = changed(EpisodeFile(copied).identity, here)
    assert told is not None
    assert f"{copied} (id " in told
    assert f"{episode_path} (id {here[CONTENT_ID][:12]}) here" in told


def test_the_written_id_is_of_the_numbers_alone(tmp_path: Path) -> None:
    one, two = make_clips(2), make_clips(2, seed=1)
    ids = []
    for name, layout, splits in (
        ("a", Layout.EPISODES, {"train": one, "val": two}),
        ("b", Layout.REFERENCE, {"val": two, "train": one}),
        ("c", Layout.EPISODES, {"train": two, "val": one}),
    ):
        write_clips(tmp_path / name, splits, layout)
        ids.append(EpisodeFile(tmp_path / name).attributes[CONTENT_ID])
    assert ids[0] == ids[1] != ids[2]


def test_what_was_changed_after_it_was_written_is_other_data(episode_path: Path) -> None:
    before = EpisodeFile(episode_path).identity
    with h5py.File(episode_path, "a") as file:
        actions = file["train/actions"]
        assert isinstance(actions, h5py.Dataset)
        actions[2, 3, 0] += 1
    assert changed(before, EpisodeFile(episode_path).identity)


def test_the_same_file_read_otherwise_is_other_data(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        file["train/imgs"] = np.random.default_rng(0).random((6, 6, 8, 8, 3))
        file["train/actions"] = np.zeros((6, 6, 1))
    ways = ({"layout": "episodes"}, {"layout": "reference"}, {"scale": [0, 2]})
    one, two, three = (EpisodeFile(path, **{"layout": "episodes", **way}).identity for way in ways)
    assert "layout episodes) there" in (changed(one, two) or "")
    assert "[0.0, 2.0]}) here" in (changed(one, three) or "")


def test_what_is_not_known_is_no_difference() -> None:
    assert changed({"path": "a"}, {"path": "b", CONTENT_ID: "1"}) is None
