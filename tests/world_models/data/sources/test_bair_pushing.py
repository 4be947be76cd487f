"""BAIR robot pushing: every number of the records arrives, and every damaged file is named."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from armillary.world_models.data import DataError
from armillary.world_models.data.sources.bair_pushing import BairPushing
from armillary.world_models.data.sources.source import Episode, Part, stamp
from tests.world_models.data.sources.records import Features, make_record, write_bair, write_records

pytest.importorskip("tfrecord")


def source_of(path: Path, camera: str = "aux1") -> BairPushing:
    return BairPushing(path, "bair_pushing", "random", "arm command", camera)


def read(path: Path, camera: str = "aux1") -> list[Episode]:
    """The episodes of one file."""
    return list(source_of(path.parent, camera).episodes(Part("train", path, stamp(path))))


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "traj_0_to_2.tfrecords"
    write_records(path, range(3))
    return path


@pytest.mark.parametrize(
    ("camera", "first", "second"),
    [
        ("aux1", "image_aux1", None),
        ("main", "image_main", None),
        ("both", "image_aux1", "image_main"),
    ],
)
def test_a_record_is_an_episode(records: Path, camera: str, first: str, second: str | None) -> None:
    episodes = read(records, camera)
    assert len(episodes) == 3
    for seed, episode in enumerate(episodes):
        expected = make_record(seed)
        np.testing.assert_array_equal(episode.frames, expected[first])
        np.testing.assert_array_equal(episode.actions, expected["action"][:29])
        np.testing.assert_array_equal(
            episode.extras["endeffector_pos"], expected["endeffector_pos"]
        )
        assert ("imgs_main" in episode.extras) == (second is not None)
        if second is not None:
            np.testing.assert_array_equal(episode.extras["imgs_main"], expected[second])


@pytest.mark.parametrize("inside", [True, False])
def test_files_are_found_in_the_order_of_their_numbers(tmp_path: Path, inside: bool) -> None:
    folder = write_bair(tmp_path)
    parts = source_of(folder if inside else tmp_path).parts()
    assert [(part.split, part.path.stem, part.expected) for part in parts] == [
        ("train", "traj_0_to_2", 3),
        ("train", "traj_3_to_4", 2),
        ("train", "traj_10_to_13", 4),
        ("test", "traj_0_to_1", 2),
    ]


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        source_of(tmp_path / "nowhere").parts()
    (tmp_path / "trian").mkdir()
    with pytest.raises(DataError, match=r"none in test and train; it holds trian"):
        source_of(tmp_path).parts()
    write_bair(tmp_path)
    (tmp_path / "softmotion30_44k" / "test" / "traj_0_to_1.tfrecords").unlink()
    with pytest.raises(DataError, match=r"files \*.tfrecords; there are none in test"):
        source_of(tmp_path).parts()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("bair-train.tfrecord-00000-of-00256", "is of TensorFlow Datasets"),
        ("traj_0_to_1.tfrecords.gz", "is compressed; unpack it first"),
        ("traj_0_to_1.tfrecord", r"needs the ending \.tfrecords"),
        ("._traj_0_to_1.tfrecords", "it holds train"),
    ],
)
def test_files_of_other_names_are_told_apart(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=advice):
        source_of(tmp_path).parts()


def test_the_folder_of_one_split_names_the_one_above(tmp_path: Path) -> None:
    (tmp_path / "traj_0_to_1.tfrecords").write_bytes(b"x")
    with pytest.raises(DataError, match=f"give the folder above, {tmp_path.parent}"):
        source_of(tmp_path).parts()


def test_a_compressed_file_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "traj.tfrecords"
    path.write_bytes(gzip.compress(b"x" * 100))
    with pytest.raises(DataError, match="compressed with gzip"):
        read(path)


def test_an_unknown_camera_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown camera 'aux2'; did you mean 'aux1'"):
        source_of(tmp_path, "aux2")


@pytest.mark.parametrize("cut", [1, 5, 100_000, -1])
def test_a_truncated_file_names_its_record(records: Path, cut: int) -> None:
    """Cut inside the last record, or (-1) inside the header of the second."""
    content = records.read_bytes()
    size = len(content) // 3
    records.write_bytes(content[:-cut] if cut > 0 else content[: size + 6])
    with pytest.raises(DataError, match=f"record {2 if cut > 0 else 1} is cut off") as caught:
        read(records)
    assert str(caught.value).startswith(str(records))


@pytest.mark.parametrize(("position", "message"), [(2, "its length has"), (5000, "it has")])
def test_a_flipped_bit_names_its_record(records: Path, position: int, message: str) -> None:
    content = bytearray(records.read_bytes())
    content[len(content) // 3 + position] ^= 1
    records.write_bytes(content)
    with pytest.raises(DataError, match=f"record 1 is damaged: {message} a wrong checksum"):
        read(records)


def _drop(name: str) -> Callable[[Features], object]:
    return lambda features: features.pop(name)


def _set(name: str, value: object, kind: str) -> Callable[[Features], object]:
    return lambda features: features.__setitem__(name, (value, kind))


DAMAGES: dict[str, tuple[Callable[[Features], object], str]] = {
    "no action": (
        _drop("7/action"),
        "no feature '7/action' among 119: 0/action, 0/endeffector_pos",
    ),
    "no image": (_drop("29/image_aux1/encoded"), "no feature '29/image_aux1/encoded'"),
    "no position": (_drop("0/endeffector_pos"), "no feature '0/endeffector_pos'"),
    "bytes": (
        _set("3/image_aux1/encoded", [b"abc"], "byte"),
        r"'3/image_aux1/encoded' must be one image of 12288 bytes .* got \[3\] bytes",
    ),
    "image type": (_set("3/image_aux1/encoded", [1.0], "float"), r"one image .* got \[\] bytes"),
    "numbers": (_set("3/action", [0.0] * 5, "float"), "must be 4 floating-point numbers, got 5"),
    "number type": (_set("3/action", [1, 2, 3, 4], "int"), "floating-point numbers, got 0"),
}


@pytest.mark.parametrize("case", list(DAMAGES))
def test_a_record_of_another_form_is_refused(tmp_path: Path, case: str) -> None:
    damage, message = DAMAGES[case]
    path = tmp_path / "traj_0_to_1.tfrecords"
    write_records(path, range(2), lambda number, features: number == 1 and damage(features))
    with pytest.raises(DataError, match=f"record 1: .*{message}"):
        read(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "traj.tfrecords"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="holds no record"):
        read(path)
    path.write_text("<html>404 not found</html>")
    with pytest.raises(DataError, match="record 0 is damaged"):
        read(path)
