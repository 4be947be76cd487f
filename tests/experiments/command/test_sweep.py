"""Several values make several jobs, each a run of its own that ``report`` can take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.experiments.conftest import Command

TINY = ("trainer.max_steps=2", "trainer.batch_size=2", "trainer.validation_clips=1")


def test_jobs_have_directories_of_their_own_and_one_page(
    armillary: Command, episodes: Path, tmp_path: Path
) -> None:
    done = armillary(
        "train", "-m", f"data.path={episodes}", *TINY, "seed=range(3,5)", "output=runs"
    )
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["0", "1"]
    records = [json.loads((tmp_path / f"runs/{job}/run.json").read_text()) for job in (0, 1)]
    assert [record["seed"] for record in records] == [3, 4]
    assert [record["status"] for record in records] == ["finished"] * 2
    assert "seed=4" in records[1]["command"]
    assert "output=runs/1" in records[1]["command"]
    assert armillary("report", "runs/0", "runs/1", "output=page.html").code == 0


def test_outputs_that_are_files_lie_in_the_jobs_directory(
    armillary: Command, episodes: Path, tmp_path: Path
) -> None:
    words = (f"data.path={episodes}", "checkpoint=ground_truth", "split=train", "videos=2")
    assert armillary("generate", "-m", *words, "horizon=2,3", "output=made").code == 0
    for job in (0, 1):
        (file,) = (tmp_path / "made" / str(job)).glob("*.h5")
        assert (file.parent / f"{file.name}-run" / "run.json").is_file()


def test_a_job_that_cannot_be_composed_is_named_before_any_work(
    armillary: Command, tmp_path: Path
) -> None:
    told = armillary("collect", "--multirun", "episodes=3", "seed=1,-2", "output=runs")
    assert told.code == 2
    assert "seed=-2" in told.err
    assert "at least 0" in told.err
    assert not (tmp_path / "runs").exists()


def test_a_job_that_is_refused_does_not_keep_the_others_from_running(
    armillary: Command, episodes: Path, tmp_path: Path
) -> None:
    told = armillary("train", "-m", f"data.path=nowhere.h5,{episodes}", *TINY, "output=runs")
    assert told.code == 2
    assert "nowhere.h5: there is no such file" in told.err
    assert "1 did not finish" in told.err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["1"]


def test_without_the_flag_several_values_are_a_mistake(armillary: Command) -> None:
    told = armillary("collect", "seed=1,2")
    assert told.code == 2
    assert "add -m" in told.err


def test_jobs_run_side_by_side_with_joblib(armillary: Command, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ("episodes=3", "length=4", "workers=0", "seed=1,2", "output=runs")
    done = armillary("collect", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *words)
    assert done.code == 0
    files = sorted((tmp_path / "runs").glob("*/episodes.h5"))
    assert len(files) == 2
    assert files[0].read_bytes() != files[1].read_bytes()
