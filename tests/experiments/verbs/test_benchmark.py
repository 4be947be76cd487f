"""The verbs benchmark and plan: fair, repeatable, and complete in what they write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest

from armillary.agent import episodes as playing
from armillary.agent.episodes import Episode, run_episodes
from armillary.experiments.command.config import compose
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.planning.kept import Outcome
from armillary.experiments.verbs.benchmark import Row, show, summarise
from armillary.world_models.checkpoints.checkpoint import load_model, save_checkpoint
from tests.experiments.conftest import Command

SEARCH = ["planner=cem", "planner.samples=16", "planner.iterations=2", "planner.elites=4"]
SMALL = [*SEARCH, "horizon=4", "replan_interval=4", "workers=0"]


def rows_of(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "results.json").read_text())["rows"]


def timeless(run: Path) -> list[dict[str, Any]]:
    """The rows without what differs from run to run, and without the identity of their settings."""
    apart = ("plan_seconds", "plan_seconds_alone", "identity")
    return [{k: v for k, v in row.items() if k not in apart} for row in rows_of(run)]


def played(name: str, config: Any) -> list[Episode]:
    entry = entry_of(name, config)
    seeds = [config.seed + index for index in range(config.episodes)]
    return run_episodes(entry.make_env, entry.agent, seeds, config.batch)


def test_rows_say_what_the_contract_names(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    names = ["random", "noop", "oracle", str(checkpoint)]
    words = [f"simulators=[{','.join(names)}]", *SMALL, "episodes=2", "seed=5", "output=run"]
    done = armillary("benchmark", *words)
    assert done.code == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results) == {
        *("schema_version", "rows", "comparisons", "films", "config", "commit", "versions")
    }
    assert [row["simulator"] for row in results["rows"]] == names
    assert [row["planner"] for row in results["rows"]] == [None, None, "cem", "cem"]
    for row in results["rows"]:
        assert set(row) == {
            *("task", "simulator", "planner", "episodes", "successes", "success_rate", "ci95"),
            *("steps_to_success", "plan_seconds", "plan_seconds_alone", "evaluations", "seed"),
            *("success_by", "identity", "held_at_end", "schedule"),
        }
        assert (row["task"], row["episodes"], row["seed"]) == ("push_blocks", 2, 5)
        assert row["ci95"][0] <= row["success_rate"] <= row["ci95"][1]
        schedule = None if row["planner"] is None else {"horizon": 4, "executed": 4}
        assert row["schedule"] == schedule
        for name in ("plan_seconds", "plan_seconds_alone", "evaluations"):
            assert (row[name] is None) == (row["planner"] is None)
        # Two iterations of 16, and of later plans the elites of the last one.
        assert row["evaluations"] is None or 32 <= row["evaluations"] <= 36
    for name in names[:3]:
        assert name in done.out
    assert results["config"]["planner"]["samples"] == 16
    told = json.loads((tmp_path / "run" / "episodes.json").read_text())
    assert [episode["seed"] for episode in told["oracle"]] == [5, 6]


def test_same_command_gives_the_same_rows_whatever_the_batch(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    found = []
    for batch in (3, 3, 1):
        output = tmp_path / f"run{len(found)}"
        names = f"simulators=[random,oracle,{checkpoint}]"
        words = [names, *SMALL, "episodes=3", f"batch={batch}", f"output={output}"]
        assert armillary("benchmark", *words).code == 0
        found.append((timeless(output), json.loads((output / "episodes.json").read_text())))
    assert found[0] == found[1] == found[2]


def test_every_simulator_gets_the_same_problems_and_plays_each_once(checkpoint: Path) -> None:
    config = compose("benchmark", [*SMALL, "episodes=2", "seed=9"])
    names = ["random", "noop", "oracle", str(checkpoint)]
    found = {name: played(name, config) for name in names}
    for episodes in found.values():
        assert [episode.seed for episode in episodes] == [9, 10]
        for ours, first in zip(episodes, found["random"], strict=True):
            assert np.array_equal(ours.frames[0], first.frames[0])
            assert np.array_equal(ours.goal_image, first.goal_image)
    assert not np.array_equal(found["noop"][0].frames[0], found["noop"][1].frames[0])


def test_noop_moves_nothing_and_never_succeeds() -> None:
    config = compose("benchmark", ["episodes=5"])
    for episode in played("noop", config):
        assert not episode.success
        assert episode.steps == config.task.max_steps
        assert np.array_equal(episode.frames[0], episode.frames[-1])


def test_learned_simulators_see_no_physics_state(checkpoint: Path) -> None:
    config = compose("benchmark", SMALL)
    learned, oracle = (entry_of(name, config) for name in (str(checkpoint), "oracle"))
    assert "state" not in learned.make_env().reset(seed=0)[0]
    assert "state" in oracle.make_env().reset(seed=0)[0]


@pytest.mark.parametrize("ended", [1, 3, 5])
def test_an_interrupted_benchmark_goes_on(
    armillary: Command,
    tmp_path: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    ended: int,
) -> None:
    """Stopped after so many batches; whole rows and batches are not played again."""
    begun: list[list[int]] = []
    limit = [ended]
    original = playing._run_batch

    def run_batch(envs: Any, agent: Any, seeds: Any, *rest: Any) -> Any:
        if len(begun) == limit[0]:
            raise KeyboardInterrupt
        begun.append(list(seeds))
        return original(envs, agent, seeds, *rest)

    monkeypatch.setattr(playing, "_run_batch", run_batch)
    words = [
        f"simulators=[random,{checkpoint}]",
        *SMALL,
        "episodes=5",
        "batch=2",
        "task.max_steps=2",
    ]
    assert armillary("benchmark", *words, "output=run").code == 130
    limit[0] = 6
    told = armillary("benchmark", *words, "output=run")
    assert told.code == 0
    assert begun == 2 * [[0, 1], [2, 3], [4]]
    assert ("random: finished already" in told.err) == (ended >= 3)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("config.yaml", "run.json", "run.log", "results.json", "episodes.json")
    }
    again = armillary("benchmark", *words, "output=run")
    assert again.out == told.out
    assert len(begun) == 6
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert armillary("benchmark", *words, "output=whole").code == 0
    assert timeless(tmp_path / "run") == timeless(tmp_path / "whole")
    assert (tmp_path / "run" / "episodes.json").read_bytes() == (
        tmp_path / "whole" / "episodes.json"
    ).read_bytes()


def test_a_row_of_other_weights_is_played_again(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    here = tmp_path / "model"
    shutil.copytree(checkpoint / "checkpoints" / "last", here)
    words = [*SMALL, "episodes=1", "task.max_steps=4", "simulators=[random,model]", "output=run"]
    assert armillary("benchmark", *words).code == 0
    before = [row["identity"] for row in rows_of(tmp_path / "run")]
    model = load_model(here)
    next(model.parameters()).data.add_(1e-3)
    save_checkpoint(here, model, step=7)
    told = armillary("benchmark", *words)
    assert told.code == 0
    assert "random: finished already" in told.err
    assert "model: finished already" not in told.err
    after = [row["identity"] for row in rows_of(tmp_path / "run")]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


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


@pytest.mark.parametrize(
    ("planner", "why"),
    [
        (["planner=gradient"], "follows gradients, which the true physics do not have"),
        (["planner=inverse_dynamics"], "learnt from the slots of another model"),
        (["planner=cem", "planner.proposals=[shifted,retrieval]"], "planner.proposals=[shifted]"),
    ],
)
def test_what_the_true_physics_do_not_have_is_told_before_any_episode(
    armillary: Command, tmp_path: Path, planner: list[str], why: str
) -> None:
    words = [*planner, "simulators=[random,oracle]", "episodes=1", "workers=0"]
    done = armillary("benchmark", *words, "output=run")
    assert done.code == 2
    told = " ".join(done.err.split())
    assert why in told
    assert "leave oracle out" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["planner=categorical_cem"], "needs discrete actions"),
        (["planner=inverse_dynamics", "horizon=40"], "the plan has 40"),
        (["planner=inverse_dynamics", "planner.proposals_from=pretrained/push_t"], "push_t"),
        (["horizon=2.5"], "horizon"),
    ],
)
def test_what_does_not_fit_is_told_before_any_row_is_played(
    armillary: Command, tmp_path: Path, words: list[str], why: str
) -> None:
    given = ["simulators=[random,pretrained/push_blocks]", "episodes=1", *words, "output=run"]
    done = armillary("benchmark", *given)
    assert done.code != 0
    assert why in " ".join(done.err.split())
    assert not (tmp_path / "run/results.json").exists()


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


def test_rows_have_what_the_task_measures(armillary: Command, tmp_path: Path) -> None:
    """Means over episodes, under the measures' own names; also where the run goes on later."""
    words = [
        *("task=stack_blocks", "task.environment.num_blocks=2", "simulators=[noop,oracle]"),
        *("planner.samples=12", "planner.iterations=1", "planner.elites=4", "workers=0"),
        *("episodes=3", "batch=2", "output=run"),
    ]
    told = armillary("benchmark", *words)
    assert told.code == 0
    noop, oracle = rows_of(tmp_path / "run")
    assert noop["planner"] is None
    assert oracle["planner"] == "object_cem_near"
    episodes = json.loads((tmp_path / "run" / "episodes.json").read_text())
    for row in (noop, oracle):
        for name in ("share", "op3_rule"):
            found = [one["measures"][name] for one in episodes[row["simulator"]]]
            assert row[name] == pytest.approx(np.mean(found))
    assert noop["share"] == 0.0
    assert oracle["op3_rule"] >= oracle["share"] > 0.0
    assert "op3_rule" in told.out
    assert armillary("benchmark", *words).out == told.out
    assert armillary("report", "run", "output=page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert '<th scope="col">Op3 rule</th>' in page


def test_the_table_fits_into_a_terminal_of_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = Row(
        task="push_blocks",
        simulator="pretrained/push_blocks",
        planner="cem",
        episodes=100,
        successes=100,
        success_rate=1.0,
        ci95=(0.963, 1.0),
        held_at_end=1.0,
        steps_to_success=10.5,
        success_by="task",
        plan_seconds=0.3456,
        plan_seconds_alone=12.34,
        evaluations=15010,
        seed=0,
    )
    show([row])
    told = capsys.readouterr().out
    assert "pretrained/push_blocks" in told
    assert "96%-100%" in told
    assert max(map(len, told.splitlines())) <= 80


def test_a_measure_cannot_take_the_name_of_a_rows_key() -> None:
    outcome = Outcome(seed=0, success=True, steps=1, measures={"steps_to_success": 1.0})
    config = compose("benchmark", ["episodes=1"])
    with pytest.raises(UsageError, match=r"names of their own, rows have .'steps_to_success'"):
        summarise(entry_of("noop", config), [outcome], config)
