"""A file's digest follows its content, not its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from armillary.world_models.data import identity
from armillary.world_models.data.identity import content_digest


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
