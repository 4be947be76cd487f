"""Readers read: they start no program, open no socket, write and import nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EVERYTHING = """
import os, socket, subprocess, sys
from pathlib import Path
from tests.reliability.fuzz.harmless import Watch
folder = Path(sys.argv[1])
(folder / "owned.py").write_text("")
sys.path.insert(0, str(folder))
watch = Watch(folder)
(folder / "allowed").write_text("")
os.system("true")
subprocess.run(["true"])
socket.socket().close()
(folder.parent / "elsewhere").write_text("")
import owned
print(*sorted(watch.seen), sep="\\n")
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)


def test_readers_do_nothing_but_read(tmp_path: Path) -> None:
    ended = run("-m", "tests.reliability.fuzz.harmless", str(tmp_path / "files"), "4")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 cases each" in ended.stdout


def test_what_they_might_do_would_be_seen(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    seen = run("-c", EVERYTHING, str(folder)).stdout.splitlines()
    wanted = ("os.system", "runs ", "socket.__new__", "subprocess.Popen", "writes ")
    assert [any(line.startswith(start) for line in seen) for start in wanted] == [True] * 5
    assert not [line for line in seen if "allowed" in line]
