"""A file is whole or not there: what is written, what is left behind, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from armillary.errors import ArmillaryError
from armillary.files import (
    beside,
    remove_leftovers,
    replacing,
    write_bytes,
    write_json,
    write_text,
)

ROOT = Path(__file__).parent.parent
WRITERS: dict[str, tuple[Callable[[Path], None], bytes]] = {
    "bytes": (lambda path: write_bytes(path, b"\x00new"), b"\x00new"),
    "text": (lambda path: write_text(path, "nëw\n"), "nëw\n".encode()),
    "json": (lambda path: write_json(path, {"a": [1.5]}), b'{\n  "a": [\n    1.5\n  ]\n}\n'),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("there", [True, False])
def test_a_file_is_written_or_replaced(tmp_path: Path, kind: str, there: bool) -> None:
    write, content = WRITERS[kind]
    path = tmp_path / "file"
    if there:
        path.write_text("old and longer than what is new")
    write(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial.parent == tmp_path
    assert path.read_text() == "new"


def test_what_is_no_json_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"rate": float("nan")})
    assert json.loads(path.read_text()) == 1


def test_two_writers_of_a_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one", "who ends last"
    assert os.listdir(tmp_path) == ["file"]


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder, Path(os.devnull)):
        with pytest.raises(ArmillaryError, match="no file can replace"):
            write_text(path, "x")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_a_place_that_is_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(ArmillaryError, match="is a directory"), replacing(path) as partial:
        partial.write_text("x")
        path.mkdir()
    assert os.listdir(tmp_path) == ["file"]


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    real.parent.mkdir()
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_nothing_else_moves_files_into_place() -> None:
    folders = ("agent", "envs", "experiments", "planners", "world_models")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    assert [path for path in files if "os.replace(" in path.read_text(encoding="utf-8")] == []


def test_only_what_dead_processes_left_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with replacing(tmp_path / "mine.txt") as mine:
        mine.write_text("unfinished")
        own = f"-{os.getpid()}."
        names = (mine.name.replace(own, f"-{dead.pid}."), ".x.0123456789.partial", "mine.partial")
        for name in (*names, mine.name.replace(own, f"-{dead.pid}.").replace("mine", "other")):
            (tmp_path / name).touch()
        remove_leftovers(tmp_path / "mine.txt")
        left = {path.name for path in tmp_path.iterdir()}
        assert names[0] not in left
        assert len(left) == 4
        remove_leftovers(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {mine.name, *names[1:]}
    remove_leftovers(tmp_path / "missing")


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 125 + "12345")
    write_text(path, "whole")
    assert [found.read_text() for found in tmp_path.iterdir()] == ["whole"]
    with replacing(path) as partial:
        partial.touch()
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        ending = partial.name[partial.name.index(f"-{os.getpid()}.") - len(".01234567") :]
        left = beside(path, ending.replace(f"-{os.getpid()}.", f"-{dead.pid}."))
        left.touch()
        remove_leftovers(path)
        assert not left.exists()
        assert partial.exists()


def test_what_a_process_of_the_same_number_left_is_removed(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as mine:
        mine.touch()
        left = mine.with_name(mine.name[: -len("12345678.partial")] + "00000000.partial")
        left.touch()
        remove_leftovers(tmp_path)
        assert mine.exists()
        assert not left.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(OSError, match="No space left") as raised, replacing(path) as partial:
        partial.symlink_to("/dev/full")
        partial.write_text("x")
    assert raised.value.filename == str(path)
    assert not any(tmp_path.iterdir())
