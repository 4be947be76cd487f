"""What parsers raise becomes one line that names the file; what is none of theirs passes."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path

import pytest

from armillary.errors import ArmillaryError, RunError
from armillary.reading import cause, read_json, reading


class StrangeError(ArmillaryError):
    pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RecursionError("maximum recursion depth exceeded"), "it is nested too deeply"),
        (MemoryError(), "it asks for more memory than there is"),
        (KeyError("name"), "KeyError: 'name'"),
        (AssertionError(), "AssertionError"),
        (PermissionError(13, "Permission denied", "/x"), "Permission denied"),
        (ValueError("\x1b[1mfirst\x1b[0m\nsecond\nthird"), "first second"),
        (zipfile.BadZipFile("no"), "no"),
    ],
)
def test_a_parsers_error_is_told_with_the_file(error: Exception, told: str) -> None:
    with pytest.raises(StrangeError) as caught, reading("a.json", "is damaged", StrangeError):
        raise error
    assert str(caught.value) == f"a.json: is damaged ({told})"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [StrangeError("told"), RunError("full"), KeyboardInterrupt()])
def test_what_is_told_already_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reading("a.json", "is damaged", StrangeError):
        raise error
    assert caught.value is error


def test_a_message_is_short() -> None:
    assert len(cause(ValueError("long " * 1000))) < 300


@pytest.mark.parametrize("content", [b"", b"3", b"\xff", b"[" * 100_000, b'{"a": Infinity}'])
def test_only_a_dictionary_of_json_is_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(StrangeError, match=r"a\.json"):
        read_json(tmp_path / "a.json", StrangeError)


def test_errors_of_the_machine_are_not_the_files(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Too many"), reading("a", "is damaged", StrangeError):
        raise OSError(errno.EMFILE, "Too many open files")
