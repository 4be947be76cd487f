"""The same command gives the same bytes, with any number of workers; who uses a network says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from armillary.experiments.cli import main
from armillary.experiments.command.verbs import verbs
from tests.reliability.calls import available, counted
from tests.reliability.once import ONCE, contents
from tests.reliability.trees import differences, names

pytestmark = pytest.mark.skipif(not available(), reason="needs Linux and a C compiler")
HERE = Path(__file__).parent
ROOT = HERE.parent.parent
COMMAND = "import sys; from armillary.experiments.cli import main; sys.exit(main(sys.argv[1:]))"
SMALL = ("trainer.max_steps=1", "trainer.batch_size=2", "trainer.validation_clips=1")
JOBLIB = ("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1,2")

Watched = Callable[..., str]
"""Runs Python with a command line; returns what was written down of sockets."""


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """In ``tmp_path``, where no network can be reached."""

    def run(*words: str) -> str:
        seen = tmp_path / "sockets"
        path = os.pathsep.join([str(ROOT), str(HERE / "offline")])
        environment = {**counted(tmp_path), "PYTHONPATH": path, "ARMILLARY_SOCKETS": str(seen)}
        subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, check=False)
        return seen.read_text(encoding="utf-8") if seen.exists() else ""

    return run


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


def test_sockets_would_be_seen(watched: Watched) -> None:
    python = "import socket; socket.socketpair(); socket.socket()"
    assert watched("-c", python).startswith("socket.__new__")
    c = "import ctypes; c = ctypes.CDLL(None); c.socket(1, 1, 0); sys.exit(c.socket(10, 1, 0) > 0)"
    assert "socket of family 10" in watched("-c", f"import sys; {c}")


def test_jobs_side_by_side_use_no_network(watched: Watched, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ("collect", *JOBLIB, "episodes=3", "length=4", "workers=0", "output=runs")
    assert not watched("-c", COMMAND, *words)
    assert len(list(tmp_path.glob("runs/*/episodes.h5"))) == 2


def test_processes_that_train_together_do(watched: Watched, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="needs the extra 'distributed'")
    words = ("collect", "episodes=4", "length=8", "workers=0", "val=0.25", "out=data.h5")
    assert not watched("-c", COMMAND, *words, "output=made")
    train = ("train", "data.path=data.h5", *SMALL, "trainer.device=cpu", "trainer.devices=2")
    assert "socket" in watched("-c", COMMAND, *train, "output=run")
