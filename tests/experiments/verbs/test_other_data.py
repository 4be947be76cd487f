"""Work goes on with the data that it began with, wherever they lie, and with no others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from armillary.experiments.evaluation.videos import Evaluator
from armillary.experiments.realism.generation import GroundTruth
from armillary.experiments.verbs import evaluate
from armillary.world_models.checkpoints.checkpoint import read_info
from armillary.world_models.data import EpisodeFile
from tests.experiments.conftest import Command, Finished

TRAIN = ("trainer.batch_size=2", "trainer.validation_clips=1", "output=run")


@pytest.fixture
def place(episodes: Path, tmp_path: Path) -> Path:
    """A copy of the episodes that may be changed."""
    return Path(shutil.copy(episodes, tmp_path / "d.h5"))


def replaced(path: Path) -> None:
    """Other episodes of the same size take the place of those there."""
    with h5py.File(path, "a") as file:
        for split in ("train", "val", "test"):
            frames = file[f"{split}/imgs"]
            assert isinstance(frames, h5py.Dataset)
            frames[...] = np.subtract(255, frames[()])


def stopped(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, calls: int) -> None:
    """The method is interrupted once it was called so often."""
    method, made = getattr(kind, name), []

    def wrapped(*arguments: Any) -> Any:
        made.append(arguments)
        if len(made) > calls:
            raise KeyboardInterrupt
        return method(*arguments)

    monkeypatch.setattr(kind, name, wrapped)


def refused(done: Finished, before: str, path: Path) -> None:
    assert done.code == 2, done.err
    now = EpisodeFile(path).identity["content_id"]
    assert f".h5 (id {before[:12]}) there" in done.err
    assert f"(id {now[:12]}) here" in done.err
    assert "data.changed=true" in done.err


def test_training_goes_on_with_its_data(armillary: Command, place: Path) -> None:
    first = EpisodeFile(place).identity["content_id"]
    words = ("train", *TRAIN)
    assert armillary(*words, "data.path=d.h5", "trainer.max_steps=2").code == 0
    shutil.move(place, "moved.h5")
    again = armillary(*words, "data.path=moved.h5", "trainer.max_steps=3")
    assert again.code == 0, again.err
    replaced(Path(shutil.copy("moved.h5", "d.h5")))
    refused(armillary(*words, "data.path=d.h5", "trainer.max_steps=4"), first, Path("d.h5"))
    best = read_info("run/checkpoints/best").metrics
    meant = armillary(*words, "data.path=d.h5", "trainer.max_steps=4", "data.changed=true")
    assert meant.code == 0, meant.err
    assert "action statistics stay" in meant.err
    told, kept = (
        json.loads(Path("run/results.json").read_text())["data"],
        read_info("run/checkpoints/last").data,
    )
    assert told["digest"] == kept["content_id"] != first
    assert told["former"] == kept["former"]
    assert told["former"] == [
        {"file": "moved.h5", "path": "moved.h5", "content_id": first, "until_step": 3}
    ]
    assert read_info("run/checkpoints/best").metrics != best, "other data, another best"


def test_an_evaluation_mixes_no_two_files(
    armillary: Command, checkpoint: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "write_plots", lambda *_: None)
    monkeypatch.setattr(evaluate, "write_examples", lambda *_: [])
    first = EpisodeFile(place).identity["content_id"]
    sizes = ("rollouts=2", "horizon=2", "split=train", "batch=1")
    words = ("evaluate", f"checkpoint={checkpoint}", *sizes, "output=out")
    with monkeypatch.context() as patch:
        stopped(patch, Evaluator, "scores", 2)
        assert armillary(*words, "data.path=d.h5").code == 130
    shutil.copy(place, "copy.h5")
    replaced(place)
    refused(armillary(*words, "data.path=d.h5"), first, place)
    done = armillary(*words, "data.path=copy.h5")
    assert "2 of 6 videos are finished already" in done.err
    assert done.code == 0, done.err
    refused(armillary(*words, "data.path=d.h5"), first, place)
    assert "finished already" in armillary(*words, "data.path=copy.h5").err
    meant = (*words, "data.path=d.h5", "data.changed=true")
    assert armillary(*meant).code == 0
    assert "finished already" in armillary(*meant).err
    found = json.loads(Path("out/results.json").read_text())
    fresh = armillary(*words[:-1], "data.path=d.h5", "output=fresh")
    assert fresh.code == 0, fresh.err
    assert found["metrics"] == json.loads(Path("fresh/results.json").read_text())["metrics"]
    assert [one["content_id"] for one in found["data"]["former"]] == [first]


def test_a_generation_mixes_no_two_files(
    armillary: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = EpisodeFile(place).identity["content_id"]
    sizes = ("context=2", "horizon=2", "split=train", "batch=2", "videos=6")
    words = ("generate", "checkpoint=ground_truth", *sizes, "output=x.h5")

    def cut() -> None:
        with monkeypatch.context() as patch:
            stopped(patch, GroundTruth, "make", 2)
            assert armillary(*words, "data.path=d.h5").code == 130

    cut()
    shutil.copy(place, "copy.h5")
    replaced(place)
    refused(armillary(*words, "data.path=d.h5"), first, place)
    done = armillary(*words, "data.path=copy.h5")
    assert "going on after 2 of 6 videos" in done.err
    assert done.code == 0, done.err
    with h5py.File("x.h5") as file:
        assert bytes(file.attrs["data_id"]).decode() == first
    Path("x.h5").unlink()
    cut()
    shutil.copy("copy.h5", place)
    meant = armillary(*words, "data.path=d.h5", "data.changed=true")
    assert meant.code == 0, meant.err
    assert "going on" not in meant.err
    told = json.loads(Path("x.h5-run/results.json").read_text())
    assert told["data"]["digest"] == first
