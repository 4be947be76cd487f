"""A short campaign over every reader, and the harness itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.fuzz.outcome import emptied, put
from tests.reliability.fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name: str, tmp_path: Path) -> None:
    reader, former = READERS[name], {}
    for files in reader.make():
        folder = emptied(tmp_path / "whole")
        put(folder, files, former)
        reader.read(folder)
