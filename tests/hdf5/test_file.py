"""HDF5 files of anyone: what is damaged, elsewhere or too large is refused in one line, at once."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary import looks
from armillary.errors import DataError
from armillary.hdf5 import probe
from armillary.hdf5.array import Array
from armillary.hdf5.file import BusyError, File, Group
from armillary.hdf5.writing import WrittenFile

ENTRIES = np.arange(5 * 4 * 6, dtype=np.uint8).reshape(5, 4, 6)


def checksummed(path: Path) -> Path:
    """Five entries with a chunk and a checksum each, in the format of our writer."""
    with WrittenFile(path) as written:
        written.set({"text": "héé", "empty": "", "number": 3})
        with written.step() as file:
            file.create_dataset("a", data=ENTRIES, chunks=(1, 4, 6), fletcher32=True)
    return path


def array(path: Path, name: str = "a") -> Array:
    found = File(path).get(name)
    assert isinstance(found, Array)
    return found


def changed(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


@pytest.mark.parametrize("libver", ["earliest", "v110"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (struct.pack("<Q", 14), struct.pack("<Q", 2**64 - 16)),  # libhdf5 never ends
        (b"GCOL", b"GC\0L"),
        (b"", b""),  # as files were written before
    ],
    ids=["endless", "damaged", "whole"],
)
def test_text_of_variable_length_is_read_where_it_cannot_harm(
    tmp_path: Path, old: bytes, new: bytes, libver: str
) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["format"] = "fourteen bytes"
    if not new:
        assert File(path).attrs == {"format": "fourteen bytes"}
        return
    changed(path, old, new)
    before = sum(os.times()[:4])
    with pytest.raises(DataError, match="is damaged") as caught:
        File(path)
    assert len(str(caught.value).splitlines()) == 1
    assert sum(os.times()[:4]) - before < 1.5, "seconds of the processor"


def test_a_file_of_many_objects_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for number in range(10_000):
            file.create_group(f"group_{number}")
    seconds = 0.15  # less than a look at all of them takes, far more than at one
    assert looks.look(probe.__file__, path, seconds, DataError) == {"attributes": {}}


def test_attributes_of_all_types(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        attributes = {
            "bytes": np.bytes_(b"text"),
            "opaque": np.void(b"text"),
            "float": np.float32(1.0),
            "matrix": np.array([[1.0]]),
            "truth": True,
            "list": np.arange(3),
            "texts": ["a", "b"],
            "pair": np.array((1, 2), [("x", "i4"), ("y", "i4")]),
            "none": h5py.Empty("f4"),
            "place": file.ref,
        }
        file.attrs.update(attributes)
    found = File(path).attrs
    assert found == {
        "bytes": "text",
        "opaque": "text",
        "float": 1.0,
        "matrix": 1.0,
        "truth": True,
        "list": [0, 1, 2],
        "texts": ["a", "b"],
    }
    assert type(found["float"]) is float


def test_our_own_files(tmp_path: Path) -> None:
    path = checksummed(tmp_path / "x.h5")
    file = File(path)
    assert file.attrs == {"text": "héé", "empty": "", "number": 3}
    found = file.get("a")
    assert isinstance(found, Array)
    for _ in range(2):  # the first time whole chunks are verified
        for entry in range(5):
            assert np.array_equal(found[entry, 1:3], ENTRIES[entry, 1:3])
            assert np.array_equal(found[entry, :], ENTRIES[entry])
    assert np.array_equal(found[np.array([0, 3])], ENTRIES[[0, 3]])
    assert np.array_equal(found[2, 1], ENTRIES[2, 1])


def test_chunks_along_the_second_axis(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=ENTRIES, chunks=(5, 1, 6), fletcher32=True)
    found = array(path)
    for _ in range(2):
        assert np.array_equal(found[1:3, 2], ENTRIES[1:3, 2])


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = checksummed(tmp_path / "x.h5")
    changed(path, ENTRIES[3].tobytes(), bytes([255]) + ENTRIES[3].tobytes()[1:])
    found = array(path)
    assert np.array_equal(found[2, :], ENTRIES[2])
    for _ in range(2):
        with pytest.raises(DataError, match=r"/a\[3\] is damaged.*checksum"):
            found[3, :]


def test_every_byte_that_describes_the_data_has_a_checksum(tmp_path: Path) -> None:
    path = checksummed(tmp_path / "x.h5")
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(len(content), size=150).tolist():
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        with suppress(DataError):
            found = array(path)
            for entry in range(5):
                assert np.array_equal(found[entry, :], ENTRIES[entry]), position


@pytest.mark.parametrize("touched", [True, False])
def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path, touched: bool) -> None:
    path = checksummed(tmp_path / "x.h5")
    found = array(path)
    for entry in range(5 * touched):
        found[entry, :]
    os.truncate(path, path.stat().st_size // 3)
    with pytest.raises(DataError, match="was changed while it was read: it had"):
        found[4, :]


def outside(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["a"] = ENTRIES
    return path


def external(file: h5py.File, other: Path) -> None:
    file["a"] = h5py.ExternalLink(str(other), "a")


def group_outside(file: h5py.File, other: Path) -> None:
    file["g"] = h5py.ExternalLink(str(other), "/")
    file["a"] = h5py.SoftLink("/g/a")


def raw(file: h5py.File, other: Path) -> None:
    file.create_dataset("a", (5, 4, 6), "u1", external=[(str(other), 0, 120)])


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((5, 4, 6), "u1")
    layout[:] = h5py.VirtualSource(str(other), "a", (5, 4, 6))
    file.create_virtual_dataset("a", layout)


def circle(file: h5py.File, other: Path) -> None:
    file["a"], file["b"] = h5py.SoftLink("b"), h5py.SoftLink("/a")


def nowhere(file: h5py.File, other: Path) -> None:
    file["a"] = h5py.SoftLink("/none/a")


@pytest.mark.parametrize("libver", ["earliest", "v110"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external, "a link to another file"),
        (group_outside, "a link to another file"),
        (raw, "keeps its data in other files"),
        (virtual, "keeps its data in other files"),
        (circle, "leads in a circle"),
        (nowhere, "/a is damaged"),
    ],
)
def test_nothing_outside_the_file_is_read(
    tmp_path: Path, make: Callable[[h5py.File, Path], None], message: str, libver: str
) -> None:
    other = outside(tmp_path / "other.h5")
    with h5py.File(tmp_path / "x.h5", "w", libver=libver) as file:
        make(file, other)
    with pytest.raises(DataError, match=message):
        File(tmp_path / "x.h5").get("a")


def test_links_within_the_file(tmp_path: Path) -> None:
    with h5py.File(outside(tmp_path / "x.h5"), "a") as file:
        file["g/b"] = h5py.SoftLink("../a")
        file["g/c"] = h5py.SoftLink("/g/./d")
        file["g/d"] = h5py.SoftLink("/a")
        file["root"] = h5py.SoftLink("/")
    group = File(tmp_path / "x.h5").get("g")
    assert isinstance(group, Group)
    assert isinstance(group.get("c"), Array)
    assert isinstance(File(tmp_path / "x.h5").get("root"), Group)
    with pytest.raises(DataError):  # HDF5 knows no ..
        group.get("b")


@pytest.mark.parametrize(
    "settings",
    [
        {"chunks": (1, 10**6)},
        {"chunks": (4000, 10**6), "compression": "gzip"},
        {},
    ],
)
def test_sizes_are_bounded_by_the_bytes_at_hand(tmp_path: Path, settings: dict) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (10**5, 10**6), "u1", **settings)
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="were never written"):
        File(path).get("a")


def test_a_filter_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=ENTRIES, chunks=(1, 4, 6), compression="lzf")
    changed(path, struct.pack("<HH", 32000, 8), struct.pack("<HH", 32900, 8))
    with pytest.raises(DataError, match="compressed by the filter lzf, which is not installed"):
        File(path).get("a")


def test_damaged_compressed_data(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=ENTRIES, chunks=ENTRIES.shape, compression="gzip")
        place = file["a"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 8)
    found = array(path)
    with pytest.raises(DataError, match="/a is damaged"):
        found[()]


def test_what_is_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["a"] = ["text", "of variable length"]
    found = array(path)
    with pytest.raises(DataError, match="/a must hold numbers"):
        found[()]


def test_a_file_that_is_open_for_writing_elsewhere(tmp_path: Path) -> None:
    for libver in ("earliest", "v110"):
        path = tmp_path / f"{libver}.h5"
        work = f"import h5py; f = h5py.File({str(path)!r}, 'w', libver={libver!r}); f.flush(); "
        words = [sys.executable, "-c", f"{work}print(1, flush=True); input()"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            with pytest.raises(BusyError, match="another process has the file open for writing"):
                File(path)
            writer.kill()
    with pytest.raises(DataError, match="the program that wrote the file was killed"):
        File(path)


def test_a_truncated_file(tmp_path: Path) -> None:
    for libver in ("earliest", "v110"):
        with h5py.File(tmp_path / "x.h5", "w", libver=libver) as file:
            file["a"] = ENTRIES
        os.truncate(tmp_path / "x.h5", (tmp_path / "x.h5").stat().st_size - 50)
        with pytest.raises(DataError, match="the file is truncated"):
            File(tmp_path / "x.h5")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("none.h5", "pipe", ".", "x" * 300):
        with pytest.raises(DataError, match=r"there is no such file|cannot be read"):
            File(tmp_path / name)
