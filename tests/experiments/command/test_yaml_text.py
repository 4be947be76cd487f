"""YAML of strangers is keys and values, or one line about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from armillary.errors import ArmillaryError
from armillary.experiments.command.yaml_text import keys_and_values, read

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a [*a]",
        "a: [1",
        "a: " + "[" * 5000,
        "- 1",
        "a: !!set {b}",
        "!!set {b}",
        "a: !!python/object/apply:os.system [ls]",
        "a: !!timestamp 2020-13-01",
        "a: !!int x",
        "a: !!binary x",
        "? [1]\n: 2",
        "null: 1",
        "a: 1\na: 2",
        "a: \x00",
        "a: ${",
    ],
)
def test_what_cannot_be_used_is_told_with_the_file(text: str) -> None:
    with pytest.raises(ArmillaryError, match=r"^mine\.yaml: "):
        keys_and_values(text, "mine.yaml")


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ArmillaryError, match=r"a\.yaml: is no YAML"):
        read(tmp_path / "a.yaml")


def test_aliases_and_interpolations_are_kept() -> None:
    content = keys_and_values("a: &x {b: 1}\nc: *x\nd: ${a.b}\n", "mine.yaml")
    assert (content.c.b, content.d) == (1, 1)
    assert keys_and_values("", "mine.yaml") == {}
