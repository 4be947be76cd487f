"""``armillary convert``: the same file for any number of workers and any interruption."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armillary.experiments.cli import main
from armillary.experiments.verbs import convert
from armillary.world_models.data import EpisodeFile
from armillary.world_models.data.sources.bair_pushing import BairPushing
from tests.experiments.conftest import Command
from tests.world_models.data.sources.records import make_record, write_bair, write_records

pytest.importorskip("tfrecord")

OUT = ("out=bair.h5", "output=run", "workers=0")


@pytest.fixture(scope="module")
def bair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine train and two test sequences in four files."""
    return write_bair(tmp_path_factory.mktemp("bair"))


@pytest.fixture(scope="module")
def whole(bair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted conversion in one process writes."""
    folder = tmp_path_factory.mktemp("whole")
    path = folder / "bair.h5"
    words = [f"input={bair}", f"out={path}", f"output={folder / 'run'}", "workers=0"]
    assert main(["convert", *words]) == 0
    return path


def test_sequences_arrive_in_order_and_in_their_splits(whole: Path) -> None:
    file = EpisodeFile(whole)
    seeds = {"train": range(8), "val": range(8, 9), "test": range(9, 11)}
    assert list(file.splits) == list(seeds)
    for name, expected in seeds.items():
        split = file.split(name)
        assert len(split) == len(expected)
        for index, seed in enumerate(expected):
            record = make_record(seed)
            np.testing.assert_array_equal(split.frames(index), record["image_aux1"])
            np.testing.assert_array_equal(split.actions(index), record["action"][:29])
            found = split.extra("endeffector_pos", index)
            np.testing.assert_array_equal(found, record["endeffector_pos"])
    assert file.attributes["environment"] == "bair_pushing"
    assert file.attributes["camera"] == "aux1"
    assert [path.name for path in whole.parent.iterdir() if path.name.startswith(".")] == []


def test_file_does_not_depend_on_workers(
    armillary: Command, tmp_path: Path, bair: Path, whole: Path
) -> None:
    assert armillary("convert", f"input={bair}", "out=bair.h5", "workers=2").code == 0
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()


def test_recorded_command_makes_the_file_again(
    armillary: Command, tmp_path: Path, bair: Path, whole: Path
) -> None:
    (tmp_path / bair.name).symlink_to(bair)
    words = EpisodeFile(whole).attributes["command"].split()[1:]
    assert armillary(*words, *OUT).code == 0
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()


def convert_and_die(bair: Path) -> None:
    """Is killed while it reads its third file."""
    original, calls = BairPushing._episode, []

    def episode(self: BairPushing, features: Any) -> Any:
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, features)

    BairPushing._episode = episode  # type: ignore[method-assign]
    main(["convert", f"input={bair}", *OUT])


def test_a_killed_conversion_resumes(
    armillary: Command, tmp_path: Path, bair: Path, whole: Path
) -> None:
    process = multiprocessing.get_context("fork").Process(target=convert_and_die, args=(bair,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "bair.h5").exists()
    told = armillary("convert", f"input={bair}", *OUT)
    assert told.code == 0
    assert "2 of 4 parts were converted before" in told.err
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()


def test_a_merge_that_is_interrupted_reads_nothing_again(
    armillary: Command,
    tmp_path: Path,
    bair: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = convert.join

    def interrupted(*arguments: Any) -> Iterator[str]:
        for number, name in enumerate(original(*arguments)):
            if number == 3:
                raise KeyboardInterrupt
            yield name

    with monkeypatch.context() as patch:
        patch.setattr(convert, "join", interrupted)
        assert armillary("convert", f"input={bair}", *OUT).code == 130
    assert not (tmp_path / "bair.h5").exists()
    told = armillary("convert", f"input={bair}", *OUT)
    assert "4 of 4 parts were converted before" in told.err
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()


def test_a_conversion_that_was_killed_at_its_very_end_is_finished_already(
    armillary: Command, tmp_path: Path, bair: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("convert", f"input={bair}", *OUT)

    def killed(folder: Path) -> None:
        next(folder.iterdir()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        assert armillary(*words).code == 130
    told = armillary(*words)
    assert told.code == 0
    assert "finished already: bair.h5" in told.err
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"bair.h5", "run"}
    other = armillary(*words, "source.camera=main", "output=other")
    assert other.code == 2
    assert "the file exists" in other.err


def test_a_damaged_file_is_named_and_the_others_are_kept(
    armillary: Command, tmp_path: Path, whole: Path
) -> None:
    folder = write_bair(tmp_path)
    damaged = folder / "train" / "traj_10_to_13.tfrecords"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-7])
    told = armillary("convert", f"input={folder}", *OUT)
    assert told.code == 2
    assert f"{damaged}: record 3 is cut off" in told.err
    assert not (tmp_path / "bair.h5").exists()
    damaged.write_bytes(content)
    told = armillary("convert", f"input={folder}", *OUT)
    assert told.code == 0
    assert "2 of 4 parts were converted before" in told.err
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()


def test_a_file_with_fewer_records_than_its_name_says_is_reported(
    armillary: Command, tmp_path: Path
) -> None:
    folder = write_bair(tmp_path)
    write_records(folder / "train" / "traj_10_to_13.tfrecords", range(5, 7))
    told = armillary("convert", f"input={folder}", *OUT)
    assert told.code == 0
    assert "warning:" in told.err
    assert "traj_10_to_13.tfrecords holds 2 episodes, by its name 4" in told.err


def test_an_existing_file_is_kept_unless_overwritten(
    armillary: Command, tmp_path: Path, bair: Path, whole: Path
) -> None:
    (tmp_path / "bair.h5").write_text("mine")
    told = armillary("convert", f"input={bair}", *OUT)
    assert told.code == 2
    assert "the file exists" in told.err
    assert (tmp_path / "bair.h5").read_text() == "mine"
    assert armillary("convert", f"input={bair}", *OUT, "overwrite=true").code == 0
    assert (tmp_path / "bair.h5").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no such folder"),
        (["val=1.0"], "shares in [0, 1)"),
        (["source.camera=left"], "unknown camera 'left'; choose from aux1, both, main"),
        (["source=bair"], "unknown source 'bair'; did you mean 'bair_pushing'"),
        (["source=towel_pick"], "there is no such file"),
        (["source=op3_pickplace"], "there is no such file"),
    ],
)
def test_mistakes_are_explained(armillary: Command, words: list[str], message: str) -> None:
    told = armillary("convert", "input=nowhere", *OUT, *words)
    assert told.code == 2
    assert message in " ".join(told.err.split())


def test_a_file_of_ours_passes_through(armillary: Command, tmp_path: Path, whole: Path) -> None:
    words = ["source=towel_pick", f"input={whole}", "source.actions=false"]
    assert armillary("convert", *words, *OUT).code == 0
    file, former = EpisodeFile(tmp_path / "bair.h5"), EpisodeFile(whole)
    assert file.action_size == 0
    for name, info in former.splits.items():
        assert file.splits[name].episodes == info.episodes
        np.testing.assert_array_equal(file.split(name).frames(0), former.split(name).frames(0))
