"""The example of a plug-in, installed or named, in every verb that its things are made for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

import armillary
from armillary import plugins

ROOT = Path(str(armillary.__file__)).parent.parent
NAME = "example_plugin"
COMMANDS = (
    "import json, sys\nfrom armillary.experiments.cli import main\n"
    "for words in json.loads(sys.argv[1]):\n"
    "    code = main(words)\n"
    "    if code: sys.exit(code)\n"
)
OBJECTIVE = ["planner=example_plugin_quick", f"objective={NAME}", f"objective.time={NAME}:0.7"]
PLANNED = [f"task={NAME}", *OBJECTIVE, "task.max_steps=4", "horizon=3"]
VERBS = [
    ["collect", f"task={NAME}", "episodes=8", "workers=2", "output=data"],
    ["convert", f"source={NAME}", "input=folder", "out=converted.h5", "workers=0"],
    [
        *("train", f"experiment={NAME}", "data.path=data/episodes.h5", "output=run"),
        *("trainer.max_steps=20", "trainer.validation_clips=2", "model.latent_size=16"),
    ],
    ["plan", *PLANNED, "checkpoint=run", "episodes=1", "output=plan"],
    [
        "benchmark",
        *PLANNED,
        f"goal={NAME}",
        "simulators=[random,run]",
        "episodes=2",
        "output=benchmark",
    ],
    ["evaluate", "checkpoint=run", "data.path=data/episodes.h5", "rollouts=2", "output=evaluation"],
    [
        *("render", *PLANNED, "checkpoint=run", "data.path=data/episodes.h5", "samples=1"),
        "output=render",
    ],
    ["report", "run", "plan", "benchmark", "evaluation", "render", "output=page.html"],
]


@dataclass(frozen=True)
class Place:
    """A working directory and what Python finds there.

    Attributes:
        folder: the working directory.
        path: PYTHONPATH.
    """

    folder: Path
    path: str

    def run(self, *commands: list[str]) -> subprocess.CompletedProcess[str]:
        """Runs command lines one after the other, in one process, until one fails."""
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", plugins.VARIABLE)}
        return subprocess.run(
            [sys.executable, "-P", "-c", COMMANDS, json.dumps(commands)],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": self.path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Every verb has run where the example is installed as a distribution."""
    folder = tmp_path_factory.mktemp("installed")
    source, site = folder / "source", folder / "site"
    made = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "examples" / "plugin", source, ignore=made)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    where = ["--no-build-isolation", "--target", str(site), str(source)]
    subprocess.run([*pip, *where], check=True, capture_output=True)
    (folder / "folder").mkdir()
    rng = np.random.default_rng(0)
    for index in range(4):
        frames = rng.integers(0, 256, (4, 16, 16, 3), np.uint8)
        np.savez(folder / "folder" / f"{index}.npz", frames=frames, actions=np.ones((3, 2)))
    place = Place(folder, os.pathsep.join([str(site), str(ROOT)]))
    told = place.run(*VERBS)
    assert told.returncode == 0, told.stderr[-3000:]
    return place


@pytest.fixture
def named(installed: Place, tmp_path: Path) -> Place:
    """The example is not installed, but lies in the working directory; the results are there."""
    shutil.copytree(ROOT / "examples" / "plugin" / NAME, tmp_path / NAME)
    for results in ("run", "data"):
        shutil.copytree(installed.folder / results, tmp_path / results)
    return Place(tmp_path, str(ROOT))


def read(file: Path) -> dict[str, object]:
    return json.loads(file.read_text(encoding="utf-8"))


def test_its_task_and_its_source_make_data(installed: Place) -> None:
    with h5py.File(installed.folder / "data" / "episodes.h5") as file:
        assert file.attrs["environment"].decode() == f"{NAME}/{NAME}-v0"
        assert file["train/imgs"].shape == (6, 8, 16, 16, 3)
        assert "masks" in file["train"]
    with h5py.File(installed.folder / "converted.h5") as file:
        assert file.attrs["environment"].decode() == NAME
        assert sum(len(group["imgs"]) for group in file.values()) == 4


def test_its_model_is_trained_and_its_checkpoint_names_it(installed: Place) -> None:
    config = read(installed.folder / "run" / "checkpoints" / "last" / "config.json")
    assert config["step"] == 20
    assert config["plugin"] == {"module": NAME, "distribution": NAME, "version": "0.1.0"}
    assert read(installed.folder / "run" / "run.json")["versions"][NAME] == "0.1.0"


def test_its_planner_cost_and_reduction_plan(installed: Place) -> None:
    for verb, rows in (("plan", 1), ("benchmark", 2)):
        results = read(installed.folder / verb / "results.json")
        assert len(results["rows"]) == rows
        config = (installed.folder / verb / "config.yaml").read_text()
        assert "example_plugin.planner.HillClimbing" in config
        assert "example_plugin.cost.Brightness" in config
        assert ("example_plugin.goal.FurthestOnly" in config) == (verb == "benchmark")
    assert (installed.folder / "render" / "plan.gif").is_file()


def test_its_metric_is_measured(installed: Place) -> None:
    found = read(installed.folder / "evaluation" / "results.json")["metrics"]
    assert 0 < found[NAME]["mean"]["mean"] < 1


def test_its_section_is_in_the_report(installed: Place) -> None:
    page = (installed.folder / "page.html").read_text(encoding="utf-8")
    assert f"{NAME} imagined 1 videos, 2 times each." in page


def test_without_the_plugin_nothing_of_it_is_loaded(named: Place) -> None:
    told = named.run(["evaluate", "checkpoint=run", "data.path=data/episodes.h5", "output=e"])
    assert told.returncode == 2
    (line,) = [line for line in told.stderr.splitlines() if "error: " in line]
    assert f"needs the plug-in '{NAME}', which is not loaded" in line
    assert f"plugins=[{NAME}]" in line
    assert not (named.folder / "e").exists()
    told = named.run(["plan", f"task={NAME}"])
    assert told.returncode == 2
    assert f"unknown task '{NAME}'" in told.stderr


def test_a_named_module_is_loaded_in_every_process(named: Place) -> None:
    words = ["checkpoint=run", "data.path=data/episodes.h5", "split=train", "batch=1"]
    more = ["rollouts=1", "videos=2", "workers=2", "output=evaluation", f"plugins=[{NAME}]"]
    told = named.run(["evaluate", *words, *more])
    assert told.returncode == 0, told.stderr[-3000:]
    assert read(named.folder / "evaluation" / "results.json")["videos"] == 2
