"""The same command gives the same bytes, with any number of workers; no verb uses a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.numpy import load_file

from armillary.experiments.cli import main
from armillary.experiments.command.verbs import verbs
from tests.reliability.calls import available
from tests.reliability.once import ONCE
from tests.reliability.trees import differences, names

pytestmark = pytest.mark.skipif(not available(), reason="needs Linux and a C compiler")
HERE = Path(__file__).parent
ROOT = HERE.parent.parent

TIMES = {"started", "ended", "seconds", "plan_seconds", "plan_seconds_alone", "measured"}
PHASES = {"collect", "train", "benchmark", "render"}
"""Keys whose values are times, ours and those of a demo's ``results.json``."""
TIMED = re.compile(r".*\.(log|console|html)|.*/training\.pt|.*/events\.out\.tfevents.*")
"""Files that hold times."""
OF_WORKERS = {"workers", "command", "digests"}
"""What says how many workers there were; weights name it, and a checkpoint its files' digests."""


@dataclass(frozen=True)
class Twice:
    """Two folders of ``tests.reliability.once`` and what was written down of sockets."""

    first: Path
    second: Path
    sockets: Path


@pytest.fixture
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """Every verb in this process and in two workers, with other orders of sets."""
    folder = tmp_path_factory.mktemp("once")
    sockets, processes = folder / "sockets", []
    for number, workers in enumerate((0, 2)):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE / "offline")]),
            "PYTHONHASHSEED": str(number),
            "ARMILLARY_SOCKETS": str(sockets),
        }
        command = [sys.executable, "-m", "tests.reliability.once", str(folder / str(number))]
        pipe = subprocess.PIPE
        processes.append(
            subprocess.Popen(
                *([*command, f"--workers={workers}"],),
                cwd=ROOT,
                env=environment,
                stdout=pipe,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    told = [process.communicate()[0] for process in processes]
    for process, text in zip(processes, told, strict=True):
        assert process.returncode == 0, text
    return Twice(folder / "0", folder / "1", sockets)


def test_every_verb_is_tried() -> None:
    assert {case.words[0] for case in ONCE.values()} == set(verbs())


def test_every_verb_twice(twice: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(twice.first) == names(twice.second)
    assert not differences(contents(twice.first), contents(twice.second))
    weights = "demo/out/train/checkpoints/last/model.safetensors"
    assert (twice.first / weights).read_bytes() == (twice.second / weights).read_bytes()
    assert not twice.sockets.exists(), twice.sockets.read_text(encoding="utf-8")
    # Pages show seconds: that of the same runs is the same.
    runs = [str(twice.first / run / "out") for run in ("benchmark", "train", "evaluate", "render")]
    pages = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert main(["report", *runs, "output=page.html"]) == 0
        pages.append(Path("page.html").read_bytes())
    assert pages[0] == pages[1]


def test_sockets_would_be_seen(tmp_path: Path) -> None:
    code = "import socket; socket.socketpair(); socket.socket()"
    environment = {"PYTHONPATH": str(HERE / "offline"), "ARMILLARY_SOCKETS": str(tmp_path / "seen")}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "no network here" in ended.stderr
    assert (tmp_path / "seen").read_text().startswith("socket.__new__")


def contents(folder: Path) -> dict[str, Any]:
    """Of every file what is the same, as values where workers are named, else as bytes."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = {str(path.relative_to(folder)): path for path in paths}
    return {name: _content(path) for name, path in found.items() if not TIMED.fullmatch(name)}


def _content(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return {name: array.tobytes() for name, array in load_file(path).items()}
    if path.suffix == ".json":
        return _kept(json.loads(path.read_bytes()), _times(path) | OF_WORKERS)
    if path.suffix == ".yaml":
        return _kept(yaml.safe_load(path.read_text(encoding="utf-8")), OF_WORKERS)
    return path.read_bytes()


def _times(path: Path) -> set[str]:
    demo = path.name == "results.json" and (path.parent / "index.html").exists()
    return TIMES | PHASES if demo else TIMES


def _kept(content: Any, without: set[str]) -> Any:
    if isinstance(content, dict):
        return {k: _kept(value, without) for k, value in content.items() if k not in without}
    if isinstance(content, list):
        return [_kept(value, without) for value in content]
    return content
