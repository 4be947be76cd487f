"""Archives of strangers give what they hold and are asked for no more."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armillary.archives import archived, arrays
from armillary.errors import ArmillaryError

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 8, 3), dtype=np.uint8)
ACTIONS = np.random.default_rng(1).normal(size=(3, 4, 2)).astype(np.float32)


class StrangeError(ArmillaryError):
    pass


def test_an_archive_that_promises_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**6))
    assert archived(path, StrangeError, ratio=1032) == {"zeros": 10**6}
    with pytest.raises(StrangeError, match="promise 1000000"):
        archived(path, StrangeError)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(StrangeError, match="its end is missing"):
        archived(path, StrangeError)


def test_an_archive_that_asks_for_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one", b"1")
    content = bytearray(path.read_bytes())
    packed = content.rindex(b"PK\x01\x02") + 20
    content[packed : packed + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(StrangeError, match="promise 2147483648"):
        archived(path, StrangeError)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_read_one_at_a_time_in_any_order(
    tmp_path: Path, compressed: bool, order: str
) -> None:
    path = tmp_path / "f.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, frames=np.array(FRAMES, order=order), actions=ACTIONS)  # type: ignore
    rows = arrays(path, StrangeError)["frames"].rows()
    np.testing.assert_array_equal(next(rows), FRAMES[0])
    np.testing.assert_array_equal(np.stack([*rows]), FRAMES[1:])


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
    with pytest.raises(StrangeError, match=message):
        arrays(path, StrangeError, ["frames"])


def test_a_changed_byte_and_a_missing_end_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, frames=FRAMES, actions=ACTIONS)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(StrangeError, match="damaged"):
        for name in ("frames", "actions"):
            list(arrays(path, StrangeError)[name].rows())
    for length in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:length])
        with pytest.raises(StrangeError, match="no archive, or its end"):
            arrays(path, StrangeError, ["frames"])


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    np.savez(tmp_path / "f.npz", frames=np.array([Payload()], dtype=object))
    with pytest.raises(StrangeError, match="frames"):
        arrays(tmp_path / "f.npz", StrangeError, ["frames"])["frames"].whole()
    assert not (tmp_path / "owned").exists()
