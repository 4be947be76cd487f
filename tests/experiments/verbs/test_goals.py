"""Goals from the command line: objects and places, and the number of slots."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import imageio.v3 as imageio
import numpy as np
import pytest

from tests.experiments.conftest import Command

SMALL = ["planner.samples=8", "planner.iterations=1", "planner.elites=2", "horizon=2"]
QUICK = [*SMALL, "replan_interval=2", "workers=0", "episodes=1", "task.max_steps=2", "output=run"]
OBJECT = ["goal=object", "goal.items=[{color: blue, to: [0.9, 0.1]}]"]


def test_success_of_named_objects_is_told_by_true_places(
    armillary: Command, tmp_path: Path
) -> None:
    simulators = "simulators=[random,oracle,pretrained/push_blocks]"
    done = armillary("benchmark", *OBJECT, *QUICK, simulators)
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "run" / "results.json").read_text())["rows"]
    assert [row["success_by"] for row in rows] == ["true places"] * 3
    assert "success by true places" in " ".join(done.out.split())


def test_masks_are_read_from_files_and_episodes_are_filmed(
    armillary: Command, tmp_path: Path
) -> None:
    env = gym.make("armillary/PushBlocks-v0")
    observation, _ = env.reset(seed=0)
    labels = env.unwrapped.segmentation()  # type: ignore[attr-defined]
    imageio.imwrite(tmp_path / "mask.png", (labels == 2).astype(np.uint8) * 255)
    to = observation["achieved_goal"][:2].round(3).tolist()
    items = f"goal.items=[{{mask: mask.png, to: {to}}}]"
    done = armillary("plan", "goal=object", items, *QUICK)
    assert done.code == 0, done.err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["episodes"][0]["distances"][0] < 0.01
    assert len(imageio.imread(tmp_path / "run" / "episode_0.gif")) >= 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["goal=object"], "goal.items must be a list of objects and places"),
        (["goal=object", "goal.items=[{color: pink, to: [0.5, 0.5]}]"], "seen are black"),
        (["goal=object", "goal.items=[{mask: no.png, to: [0.5, 0.5]}]"], "mask=no.png is no image"),
        ([*OBJECT, "objective=pixel"], "take objective=object_position, or goal=image"),
        ([*OBJECT, "goal.itmes=[]"], "did you mean 'goal.items'"),
        (["goal=objects"], "unknown goal 'objects'; did you mean 'object'"),
        (["num_slots=1"], "num_slots must count the background and an object, got 1"),
        (["num_slots=0"], "num_slots must be at least 1, got 0"),
    ],
)
def test_mistakes_are_told_in_one_line(armillary: Command, words: list[str], message: str) -> None:
    done = armillary("plan", *words, *QUICK)
    assert done.code == 2
    told = done.err.splitlines()[-1]
    assert told.startswith("armillary plan: error: ")
    assert message in told


def test_a_task_that_poses_no_problem_takes_ones_own(armillary: Command, tmp_path: Path) -> None:
    task = ["task=moving_sprites_actions", "simulators=[random]", *QUICK]
    done = armillary("benchmark", *task)
    assert done.code == 2
    assert "say what is wanted with goal=object" in done.err
    env = gym.make("armillary/MovingSprites-v0", noise=0.05, action_conditional=True)
    x, y = env.reset(seed=0)[0]["observation"][:2].round(3).tolist()
    words = ["goal=object", f"goal.items=[{{pixel: [{x}, {y}], to: [{x}, {y}]}}]"]
    done = armillary("benchmark", *task, *words)
    assert done.code == 0, done.err
    (row,) = json.loads((tmp_path / "run" / "results.json").read_text())["rows"]
    assert (row["task"], row["success_by"]) == ("moving_sprites_actions", "true places")


def test_num_slots_reaches_every_verb(
    armillary: Command, checkpoint: Path, episodes: Path, tmp_path: Path
) -> None:
    given = [f"checkpoint={checkpoint}", "num_slots=7"]
    data = f"data.path={episodes}"
    assert armillary("plan", *given, *QUICK).code == 0
    words = [data, "videos=1", "rollouts=1", "horizon=2", "output=evaluated"]
    done = armillary("evaluate", *given, *words)
    assert done.code == 0, done.err
    told = json.loads((tmp_path / "evaluated" / "results.json").read_text())
    assert told["identity"]["num_slots"] == 7
    words = [data, "videos=1", "horizon=2", "slots=true", "output=videos.h5"]
    done = armillary("generate", *given, *words)
    assert done.code == 0, done.err
    assert "7, 34]" in done.out.replace("\n", "")
    words = [data, "plan=never", "samples=0", "frames=2", "output=rendered"]
    done = armillary("render", *given, *words)
    assert done.code == 0, done.err
