"""The verbs benchmark and plan: fair, repeatable, and complete in what they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest

from armillary.experiments.command.config import compose
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.verbs.benchmark import play
from tests.experiments.conftest import Command

SEARCH = ["planner=cem", "planner.samples=16", "planner.iterations=2", "planner.elites=4"]
SMALL = [*SEARCH, "horizon=4", "replan_interval=4", "workers=0"]


def rows_of(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "results.json").read_text())["rows"]


def test_rows_say_what_the_contract_names(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    names = ["random", "noop", "oracle", str(checkpoint)]
    words = [f"simulators=[{','.join(names)}]", *SMALL, "episodes=2", "seed=5", "output=run"]
    done = armillary("benchmark", *words)
    assert done.code == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results) == {"schema_version", "rows", "config", "commit", "versions"}
    assert [row["simulator"] for row in results["rows"]] == names
    assert [row["planner"] for row in results["rows"]] == [None, None, "cem", "cem"]
    for row in results["rows"]:
        assert set(row) == {
            *("task", "simulator", "planner", "episodes", "successes", "success_rate", "ci95"),
            *("steps_to_success", "plan_seconds", "plan_seconds_alone", "evaluations", "seed"),
            "success_by",
        }
        assert (row["task"], row["episodes"], row["seed"]) == ("push_blocks", 2, 5)
        assert row["ci95"][0] <= row["success_rate"] <= row["ci95"][1]
        for name in ("plan_seconds", "plan_seconds_alone", "evaluations"):
            assert (row[name] is None) == (row["planner"] is None)
        # Two iterations of 16, and of later plans the elites of the last one.
        assert row["evaluations"] is None or 32 <= row["evaluations"] <= 36
    for name in names[:3]:
        assert name in done.out
    assert results["config"]["planner"]["samples"] == 16
    played = json.loads((tmp_path / "run" / "episodes.json").read_text())
    assert [episode["seed"] for episode in played["oracle"]] == [5, 6]


def test_same_command_gives_the_same_rows_whatever_the_batch(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    found = []
    for batch in (3, 3, 1):
        output = tmp_path / f"run{len(found)}"
        names = f"simulators=[random,oracle,{checkpoint}]"
        words = [names, *SMALL, "episodes=3", f"batch={batch}", f"output={output}"]
        assert armillary("benchmark", *words).code == 0
        rows = [
            {k: v for k, v in row.items() if not k.startswith("plan_seconds")}
            for row in rows_of(output)
        ]
        found.append((rows, json.loads((output / "episodes.json").read_text())))
    assert found[0] == found[1] == found[2]


def test_every_simulator_gets_the_same_problems_and_plays_each_once(checkpoint: Path) -> None:
    config = compose("benchmark", [*SMALL, "episodes=2", "seed=9"])
    names = ["random", "noop", "oracle", str(checkpoint)]
    played = {name: play(entry_of(name, config), config) for name in names}
    for episodes in played.values():
        assert [episode.seed for episode in episodes] == [9, 10]
        for ours, first in zip(episodes, played["random"], strict=True):
            assert np.array_equal(ours.frames[0], first.frames[0])
            assert np.array_equal(ours.goal_image, first.goal_image)
    assert not np.array_equal(played["noop"][0].frames[0], played["noop"][1].frames[0])


def test_noop_moves_nothing_and_never_succeeds() -> None:
    config = compose("benchmark", ["episodes=5"])
    for episode in play(entry_of("noop", config), config):
        assert not episode.success
        assert episode.steps == config.task.max_steps
        assert np.array_equal(episode.frames[0], episode.frames[-1])


def test_learned_simulators_see_no_physics_state(checkpoint: Path) -> None:
    config = compose("benchmark", SMALL)
    learned, oracle = (entry_of(name, config) for name in (str(checkpoint), "oracle"))
    assert "state" not in learned.make_env().reset(seed=0)[0]
    assert "state" in oracle.make_env().reset(seed=0)[0]


def test_interrupted_benchmark_keeps_finished_rows(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from armillary.experiments.verbs import benchmark

    def play_one(one: Any, config: Any) -> Any:
        if one.name == "noop":
            raise KeyboardInterrupt
        return play(one, config)

    monkeypatch.setattr(benchmark, "play", play_one)
    words = ["simulators=[random,noop]", "episodes=2", "output=run"]
    assert armillary("benchmark", *words).code == 130
    assert [row["simulator"] for row in rows_of(tmp_path / "run")] == ["random"]


def test_plan_films_every_episode(armillary: Command, tmp_path: Path, checkpoint: Path) -> None:
    words = [f"checkpoint={checkpoint}", *SMALL, "episodes=2", "seed=3", "output=run"]
    assert armillary("plan", *words).code == 0
    run = tmp_path / "run"
    assert {path.name for path in run.glob("*.gif")} == {"episode_3.gif", "episode_4.gif"}
    results = json.loads((run / "results.json").read_text())
    assert results["rows"][0]["simulator"] == str(checkpoint)
    for episode in results["episodes"]:
        assert len(episode["actions"]) == episode["steps"]
        film = imageio.imread(run / f"episode_{episode['seed']}.gif")
        assert len(film) == episode["steps"] + 1
        assert len(episode["distances"]) == episode["steps"] + 1
        assert film.shape[2] > 4 * 32 * 4, "what happened, two of the plan, and the goal"


@pytest.mark.parametrize("name", ["oracle", "random"])
def test_a_plan_of_any_simulator_is_filmed(armillary: Command, tmp_path: Path, name: str) -> None:
    words = [f"checkpoint={name}", *SMALL, "episodes=1", "task.max_steps=4", "output=run"]
    assert armillary("plan", *words).code == 0
    film = imageio.imread(tmp_path / "run" / "episode_0.gif")
    assert (film.shape[2] > 4 * 32 * 4) == (name == "oracle")


def test_model_of_another_image_size_is_refused(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    told = armillary("plan", f"checkpoint={checkpoint}", "task.environment.image_size=64")
    assert told.code == 2
    assert "trained on images of 32 px" in told.err
    assert not any(tmp_path.iterdir())


def test_damaged_checkpoint_is_refused_before_any_episode(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (checkpoint / "checkpoints" / "last").iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[:-9])
    told = armillary("benchmark", f"simulators=[random,{broken}]", "output=run")
    assert told.code == 2
    assert "damaged" in told.err
    assert not (tmp_path / "run").exists()
