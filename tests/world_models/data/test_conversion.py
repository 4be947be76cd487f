"""Parts are converted once, found again only for the same settings and content, and merged."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from armillary.world_models.data import DataError, EpisodeFile, EpisodeWriter
from armillary.world_models.data.conversion import (
    assign_splits,
    content_of,
    convert_part,
    part_path,
)
from armillary.world_models.data.pieces import join
from armillary.world_models.data.sources.source import Episode, Part, Source, stamp
from tests.world_models.data.conftest import PROVENANCE


@dataclass(frozen=True)
class Numbers(Source):
    """A file of whitespace-separated numbers: an episode of each, gray in that value."""

    step: int = 1

    def parts(self) -> list[Part]:
        files = sorted(self.path.glob("*.txt"))
        return [Part(path.stem.split("_")[0], path, stamp(path)) for path in files]

    def episodes(self, part: Part) -> Iterator[Episode]:
        for word in part.path.read_text().split():
            frames = np.full((3, 4, 4, 3), int(word) * self.step, np.uint8)
            yield Episode(frames, np.zeros((2, 1)), extras={"number": np.full(3, int(word))})


@pytest.fixture
def source(tmp_path: Path) -> Numbers:
    folder = tmp_path / "numbers"
    folder.mkdir()
    (folder / "test_0.txt").write_text("7 8")
    (folder / "train_0.txt").write_text("1 2 3")
    (folder / "train_1.txt").write_text("4 5")
    return Numbers(folder, "numbers", "counting", "none")


def converted(source: Numbers, folder: Path, out: Path) -> EpisodeFile:
    folder.mkdir(exist_ok=True)
    parts = source.parts()
    counts = [convert_part(source, part, folder) for part in parts]
    splits = assign_splits(parts, counts, {"val": 0.2, "test": 0.2})
    with EpisodeWriter(out, PROVENANCE) as writer:
        pieces = [(part_path(source, part, folder), str(part.path)) for part in parts]
        assert list(join(writer, pieces, splits)) == splits
    return EpisodeFile(out)


def test_the_end_of_train_becomes_val(source: Numbers, tmp_path: Path) -> None:
    file = converted(source, tmp_path / "parts", tmp_path / "out.h5")
    found = {
        name: [int(split.extra("number", i)[0]) for i in range(len(split))]
        for name in file.splits
        for split in [file.split(name)]
    }
    assert found == {"train": [1, 2, 3, 4], "val": [5], "test": [7, 8]}
    assert (file.split("val").frames(0) == 5).all()


def test_a_converted_part_is_not_read_again(source: Numbers, tmp_path: Path) -> None:
    part = source.parts()[1]
    assert convert_part(source, part, tmp_path) == 3
    (source.path / "train_0.txt").unlink()
    assert convert_part(source, part, tmp_path) == 3


def test_other_settings_or_content_are_converted_anew(source: Numbers, tmp_path: Path) -> None:
    part = source.parts()[1]
    doubled = dataclasses.replace(source, step=2)
    assert part_path(source, part, tmp_path) != part_path(doubled, part, tmp_path)
    (source.path / "train_0.txt").write_text("1 2 3 9")
    assert part_path(source, part, tmp_path) != part_path(source, source.parts()[1], tmp_path)


def test_content_is_told_by_names_and_bytes_wherever_the_files_lie(
    source: Numbers, tmp_path: Path
) -> None:
    before = content_of(source.parts())
    shutil.copytree(source.path, tmp_path / "copy")
    copy = dataclasses.replace(source, path=tmp_path / "copy")
    assert content_of(copy.parts()) == before
    (copy.path / "train_0.txt").write_text("1 2 4")
    assert content_of(copy.parts()) != before


def test_a_part_that_fails_leaves_nothing(source: Numbers, tmp_path: Path) -> None:
    (source.path / "train_0.txt").write_text("1 2 oops")
    folder = tmp_path / "parts"
    folder.mkdir()
    with pytest.raises(ValueError, match="oops"):
        convert_part(source, source.parts()[1], folder)
    assert list(folder.iterdir()) == []


def test_an_episode_of_another_shape_is_named(
    source: Numbers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def episodes(self: Numbers, part: Part) -> Iterator[Episode]:
        for size in (4, 5):
            yield Episode(np.zeros((3, size, size, 3), np.uint8), np.zeros((2, 1)))

    monkeypatch.setattr(Numbers, "episodes", episodes)
    with pytest.raises(DataError, match=r"train_0.txt: episode 1: all episodes of a file must"):
        convert_part(source, source.parts()[1], tmp_path)


@pytest.mark.parametrize(
    ("own", "shares", "expected"),
    [
        (["train"], (0.1, 0.1), "t" * 8 + "v" + "e"),
        (["train"], (0.3, 0.0), "t" * 7 + "v" * 3),
        (["train"], (0.001, 0.001), "t" * 8 + "v" + "e"),
        (["train", "test"], (0.1, 0.1), "t" * 9 + "v" + "e" * 10),
        (["train", "val", "test"], (0.5, 0.5), "t" * 10 + "v" * 10 + "e" * 10),
        (["test"], (0.1, 0.1), "e" * 10),
    ],
)
def test_splits_that_are_missing_are_cut_off(
    own: list[str], shares: tuple[float, float], expected: str
) -> None:
    parts = [Part(name, Path(name), "") for name in own]
    found = assign_splits(parts, [10] * len(parts), dict(zip(["val", "test"], shares, strict=True)))
    assert "".join({"train": "t", "val": "v", "test": "e"}[name] for name in found) == expected


def test_nothing_left_to_train_on_is_refused() -> None:
    parts = [Part("train", Path("train"), "")]
    with pytest.raises(ValueError, match="of 4 train episodes, 2 for val and 2 for test leave"):
        assign_splits(parts, [4], {"val": 0.5, "test": 0.5})
