"""The command line inside this process, in an empty folder, and one small file of episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from armillary.experiments.cli import main

EPISODES, LENGTH = 8, 14


@dataclass(frozen=True)
class Finished:
    """What a command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Command = Callable[..., Finished]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other are what tiny models spend their time on."""
    torch.set_num_threads(1)


@pytest.fixture
def armillary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``armillary("train", "seed=1")`` runs the command in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Finished:
        capsys.readouterr()
        code = main(words)
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight episodes of push_blocks, 14 frames each."""
    folder = tmp_path_factory.mktemp("episodes")
    path = folder / "episodes.h5"
    words = [f"episodes={EPISODES}", f"length={LENGTH}", "workers=0", f"out={path}"]
    assert main(["collect", *words, f"output={folder / 'run'}"]) == 0
    return path


@pytest.fixture(scope="session")
def checkpoint(episodes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two training steps: it plans badly, but it plans."""
    run = tmp_path_factory.mktemp("checkpoint") / "run"
    words = [f"data.path={episodes}", "trainer.max_steps=2", "trainer.batch_size=2"]
    assert main(["train", *words, "trainer.validation_clips=1", f"output={run}"]) == 0
    return run
