"""Commands that are killed at their file-system calls go on; the long run is in the documents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.calls import available
from tests.reliability.cases import CASES

pytestmark = pytest.mark.skipif(not available(), reason="needs Linux and a C compiler")
QUICK = [name for name, case in CASES.items() if case.quick]


@pytest.mark.parametrize("script", ["kills"])
def test_nothing_is_lost(tmp_path: Path, script: str) -> None:
    found = tmp_path / "found.json"
    words = ["--kills", "8", "--cases", *QUICK, "--output", str(found)]
    told = subprocess.run(
        [sys.executable, "-m", f"tests.reliability.{script}", *words],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert [row["kills"] for row in json.loads(found.read_text())] == [2] * len(QUICK)
