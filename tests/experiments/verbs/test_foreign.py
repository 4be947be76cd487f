"""Somebody else's environment from the command line: collected, trained on, planned in, drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from armillary.world_models.data import EpisodeFile
from tests.experiments.conftest import Command

IMAGES = ("task=image_goal", "task.environment.image_size=32")
TASK = (*IMAGES, "environment=tests.envs.toys:toys/Walk-v0")
BOUNDED = (*TASK, "task.environment.action_bounds=[-1,1]")
SMALL = ("planner.samples=8", "planner.iterations=2", "planner.elites=2", "horizon=2")
TOY = ("trainer.max_steps=2", "trainer.batch_size=2", "trainer.validation_clips=1")


def test_from_episodes_to_a_planned_one(armillary: Command, tmp_path: Path) -> None:
    words = [*BOUNDED, "episodes=4", "length=14", "workers=0"]
    done = armillary("collect", *words, "out=f.h5", "output=collect")
    assert done.code == 0, done.err
    file = EpisodeFile(tmp_path / "f.h5")
    assert file.attributes["environment_env"] == TASK[-1].partition("=")[2]
    assert not file.split("train").has_masks
    assert "environment=tests.envs.toys" in file.attributes["command"]
    done = armillary("train", "data.path=f.h5", *TOY, "output=model")
    assert done.code == 0, done.err
    played = [*BOUNDED, *SMALL, "task.max_steps=3", "objective=pixel"]
    done = armillary(
        *("benchmark", *played, "simulators=[random,noop,model]", "episodes=2", "output=bench")
    )
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "bench" / "results.json").read_text())["rows"]
    assert [row["simulator"] for row in rows] == ["random", "noop", "model"]
    done = armillary("plan", *played, "checkpoint=model", "episodes=1", "output=plan")
    assert done.code == 0, done.err
    assert (tmp_path / "plan" / "episode_0.gif").exists()
    drawn = ["checkpoint=model", "data.path=f.h5", "samples=1", "output=render"]
    done = armillary("render", *played, *drawn)
    assert done.code == 0, done.err
    assert (tmp_path / "render" / "plan.gif").exists(), "the data come from this environment"


def test_there_is_no_oracle_row_and_asking_for_one_is_refused(
    armillary: Command, tmp_path: Path
) -> None:
    words = ["benchmark", *BOUNDED, "task.max_steps=2", "episodes=1"]
    assert armillary(*words, "output=bench").code == 0
    rows = json.loads((tmp_path / "bench" / "results.json").read_text())["rows"]
    assert [row["simulator"] for row in rows] == ["random", "noop"]
    told = armillary(*words, "simulators=[random,oracle]", "output=other")
    assert told.code == 2
    assert "task 'image_goal' has no oracle" in told.err
    assert len(told.err.strip().splitlines()) == 2, "the command and the mistake"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (TASK, "action_bounds=[low, high]"),
        (("task=image_goal",), "environment=PACKAGE_MODULE:Id-v0"),
        (("task=image_goal", "environment=no_such:Id-v0"), "cannot make the environment"),
        (("environment=tests.envs.toys:toys/Walk-v0",), "goes with task=image_goal"),
    ],
)
@pytest.mark.parametrize("verb", ["collect", "benchmark"])
def test_mistakes_are_told_in_a_line(
    armillary: Command, verb: str, words: tuple[str, ...], told: str
) -> None:
    done = armillary(verb, *words, "episodes=3", "output=run")
    assert done.code == 2
    assert told in done.err
    assert len(done.err.strip().splitlines()) == 2, "the command and the mistake"


def test_discrete_actions_are_planned_in_with_the_search_that_fits(
    armillary: Command, tmp_path: Path
) -> None:
    task = [*IMAGES, "environment=tests.envs.toys:toys/Steps-v0"]
    words = [*task, "episodes=4", "length=14", "workers=0", "out=f.h5", "output=collect"]
    done = armillary("collect", *words)
    assert done.code == 0, done.err
    split = EpisodeFile(tmp_path / "f.h5").split("train")
    assert set(split.actions(0).sum(1)) == {1.0}
    assert armillary("train", "data.path=f.h5", *TOY, "output=model").code == 0
    plan = ["plan", *task, "checkpoint=model", "episodes=1", "task.max_steps=3", "objective=pixel"]
    done = armillary(*plan, "planner=categorical_cem", *SMALL, "output=plan")
    assert done.code == 0, done.err
    told = armillary(*plan, "planner=cem", *SMALL, "output=other")
    assert told.code == 2
    assert "planner=categorical_cem fits" in told.err
