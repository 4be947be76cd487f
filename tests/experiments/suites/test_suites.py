"""Suites from end to end: every row once, gathered, in parallel, resumed, and refused early."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from armillary.agent import episodes as playing
from tests.experiments.conftest import Command

WORDS = {
    "episodes": 2,
    "horizon": 2,
    "replan_interval": 2,
    "workers": 0,
    "task.max_steps": 2,
    "play_on": True,
}
FAST = {"planner.samples": 8, "planner.iterations": 1, "planner.elites": 2}
BUNDLED = "pretrained/push_blocks"


def suite(path: Path, rows: list[dict[str, Any]], **more: Any) -> str:
    content = {"words": WORDS, "planners": {"cem": FAST}, "rows": rows, **more}
    path.write_text(yaml.safe_dump(content))
    return f"suite={path.name}"


def results(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text())


def test_every_row_is_there_with_what_the_contract_names(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    models = {"slots": {"checkpoint": [str(checkpoint), BUNDLED], "objective": "latent"}}
    rows = [{"models": ["random"]}, {"models": ["slots"], "planners": ["cem"]}]
    told = armillary("benchmark", suite(tmp_path / "own.yaml", rows, models=models), "output=run")
    assert told.code == 0, told.err
    found = results(tmp_path / "run")
    names = ["random", "slots, cem, training 1", "slots, cem, training 2"]
    assert [row["name"] for row in found["rows"]] == names
    for row in found["rows"]:
        assert {"evaluations", "plan_seconds_alone", "held_at_end", "ci95"} <= set(row)
        assert row["held_at_end"] == 0.0
    assert [row["simulator"] for row in found["rows"][1:]] == [str(checkpoint), BUNDLED]
    for one in found["comparisons"]:
        assert {"a", "b", "difference", "ci95", "episodes", "episodes_needed"} == set(one)
    assert len(found["comparisons"]) == 3
    assert [one["model"] for one in found["trainings"]] == ["slots"]
    objective = json.loads((tmp_path / "run/rows/slots-cem-training-2/results.json").read_text())
    assert "latent" in objective["config"]["objective"]["terms"]
    assert set(json.loads((tmp_path / "run/episodes.json").read_text())) == set(names)
    page = (tmp_path / "run/index.html").read_text()
    assert "slots, cem, training 2" in page
    assert "did not finish" not in page
    assert armillary("report", "run", "output=page.html").code == 0


def test_floors_have_no_planner_and_one_row(armillary: Command, tmp_path: Path) -> None:
    planners = {"cem": FAST, "icem": FAST}
    rows = [{"models": ["random", "noop", BUNDLED], "planners": ["cem", "icem"]}]
    words = [suite(tmp_path / "own.yaml", rows, planners=planners), "output=run", "episodes=1"]
    told = armillary("benchmark", *words)
    assert told.code == 0, told.err
    found = results(tmp_path / "run")
    names = ["random", "noop", f"{BUNDLED}, cem", f"{BUNDLED}, icem"]
    assert [row["name"] for row in found["rows"]] == names
    assert [row["planner"] for row in found["rows"]] == [None, None, "cem", "icem"]
    pairs = {(one["a"], one["b"]) for one in found["comparisons"]}
    assert len(pairs) == 6, "floors are compared with all"


def test_a_suite_that_was_killed_goes_on_and_repeats_no_finished_episode(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the first episode of a batch has ended, and the other has not."""
    begun: list[list[int]] = []
    original = playing._run_batch

    def run_batch(envs: Any, agent: Any, seeds: Any, on_end: Any, play_on: bool) -> Any:
        def ended(found: Any) -> None:
            on_end(found[:1])
            if len(begun) == 2:
                raise KeyboardInterrupt
            if found[1:]:
                on_end(found[1:])

        begun.append(list(seeds))
        return original(envs, agent, seeds, ended, play_on)

    monkeypatch.setattr(playing, "_run_batch", run_batch)
    words = [suite(tmp_path / "own.yaml", [{"models": ["random", "noop"]}]), "output=run"]
    assert armillary("benchmark", *words).code == 130
    told = armillary("benchmark", *words)
    assert told.code == 0
    assert begun == [[0, 1], [0, 1], [1]]
    assert "random: finished already" in told.err
    assert "noop: 1 of 2 episodes are kept" in told.err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert armillary("benchmark", words[0], "output=whole").code == 0
    ours, whole = ((tmp_path / run / "episodes.json").read_text() for run in ("run", "whole"))
    assert ours == whole


def test_a_suite_grows_and_repeats_no_row(armillary: Command, tmp_path: Path) -> None:
    own, rows = tmp_path / "own.yaml", [{"models": ["noop"]}]
    assert armillary("benchmark", suite(own, rows), "output=run").code == 0
    models = {"slots": {"checkpoint": BUNDLED}}
    rows.append({"models": ["random", "slots"], "planners": ["cem"]})
    told = armillary("benchmark", suite(own, rows, models=models), "output=run")
    assert told.code == 0, told.err
    assert "noop: finished already" in told.err
    assert [row["name"] for row in results(tmp_path / "run")["rows"]] == [
        *("noop", "random", "slots, cem")
    ]
    models["slots"]["objective"] = "latent"
    told = armillary("benchmark", suite(own, rows, models=models), "output=run")
    assert told.code == 2
    assert "the row slots, cem: run/rows/slots-cem holds another run: choices.objective" in told.err
    assert "or give the row another name" in told.err
    assert len(results(tmp_path / "run")["rows"]) == 3
    told = armillary("benchmark", suite(own, rows[:1]), "output=run")
    assert told.code == 0, told.err
    assert [row["name"] for row in results(tmp_path / "run")["rows"]] == ["noop"]


def test_rows_run_side_by_side_with_joblib(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = [suite(tmp_path / "own.yaml", [{"models": ["random", "noop"]}])]
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert armillary("benchmark", *words, *launcher, "output=run").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # where joblib's processes did not begin
    again = [f"suite={tmp_path / 'own.yaml'}", *launcher, "output=again"]
    assert armillary("benchmark", *again).code == 0
    monkeypatch.chdir(tmp_path)
    assert armillary("benchmark", *words, "output=alone").code == 0
    side_by_side, alone = (results(tmp_path / run)["rows"] for run in ("run", "alone"))
    ignored = ("identity",)
    assert [{k: v for k, v in row.items() if k not in ignored} for row in side_by_side] == [
        {k: v for k, v in row.items() if k not in ignored} for row in alone
    ]


def test_a_users_folder_holds_suites_and_what_they_name(armillary: Command, tmp_path: Path) -> None:
    for group in ("suite", "planner"):
        (tmp_path / "lab" / group).mkdir(parents=True)
    quick = {"_target_": "armillary.planners.cem.CEM", "samples": 4, "iterations": 1, "elites": 2}
    (tmp_path / "lab/planner/quick.yaml").write_text(yaml.safe_dump(quick))
    suite(tmp_path / "lab/suite/ours.yaml", [{"models": [BUNDLED], "planners": ["quick"]}])
    words = ["--config-dir", "lab", "suite=ours", "episodes=1", "output=run"]
    told = armillary("benchmark", *words)
    assert told.code == 0, told.err
    (row,) = results(tmp_path / "run")["rows"]
    assert (row["name"], row["planner"], row["episodes"]) == (f"{BUNDLED}, quick", "quick", 1)
    assert row["evaluations"] <= 6


@pytest.mark.parametrize(
    ("rows", "more", "told"),
    [
        ([{"models": ["slotz"]}], {}, "unknown model 'slotz'"),
        ([{"models": ["oracle"], "planners": ["cemm"]}], {}, "unknown planner 'cemm'"),
        ([{"models": ["noop"], "tasks": ["push_blocs"]}], {}, "unknown task 'push_blocs'"),
        ([{"models": ["noop"], "words": {"episode": 3}}], {}, "no option 'episode'"),
        ([{"model": ["noop"]}], {}, "unknown setting"),
        ([{"models": ["noop", "noop"]}], {}, "the row noop is there twice"),
        ([], {}, "no row is left"),
        ([{"models": ["m"]}], {"models": {"m": {"checkpoint": "runs/gone"}}}, "skip_missing"),
        (
            [{"models": ["noop"]}, {"models": ["random"], "words": {"episodes": 3}}],
            {},
            "noop and random cannot be compared: episodes is 2 and 3",
        ),
        (
            [{"models": ["noop"]}, {"models": ["random"], "words": {"task.max_steps": 5}}],
            {},
            "cannot be compared: task.max_steps is 2 and 5",
        ),
    ],
)
def test_what_does_not_fit_is_named_before_any_work(
    armillary: Command,
    tmp_path: Path,
    rows: list[dict[str, Any]],
    more: dict[str, Any],
    told: str,
) -> None:
    found = armillary("benchmark", suite(tmp_path / "own.yaml", rows, **more), "output=run")
    assert found.code == 2
    assert told in found.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "text", "told"),
    [
        (["suite=own"], "", "suite=own: rows is required"),
        (["suite=own"], "rows: [{models: random}]", "models: must be a list"),
        (["suite=own"], "[1, 2]", "suite=own must hold settings by name, got a list"),
        (["planner=own", "simulators=[random]"], "[1, 2]", "planner=own must hold settings"),
        (["task=own", "simulators=[random]"], "[1, 2]", "task=own must hold settings"),
    ],
)
def test_files_that_say_something_else_are_refused(
    armillary: Command, tmp_path: Path, words: list[str], text: str, told: str
) -> None:
    group = words[0].partition("=")[0]
    (tmp_path / "lab" / group).mkdir(parents=True)
    (tmp_path / "lab" / group / "own.yaml").write_text(text)
    found = armillary("benchmark", "--config-dir", "lab", *words, "episodes=1", "output=run")
    assert found.code == 2
    assert told in found.err
    assert not (tmp_path / "run").exists()


def test_rows_of_a_suite_leave_their_cards(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    shutil.copytree(checkpoint, tmp_path / "model")
    rows = [{"models": ["model"], "planners": ["cem"]}]
    words = [suite(tmp_path / "own.yaml", rows), "objective=latent", "card=true", "output=run"]
    told = armillary("benchmark", *words)
    assert told.code == 0, told.err
    (card,) = (tmp_path / "model").rglob("card/*.json")
    assert not [word for word in json.loads(card.read_text())["words"] if "hydra" in word]


def test_the_command_line_changes_a_suite(armillary: Command, tmp_path: Path) -> None:
    models = {"slots": {"checkpoint": "nowhere"}}
    own = suite(tmp_path / "own.yaml", [{"models": ["slots"], "planners": ["cem"]}], models=models)
    words = [f"suite.models.slots.checkpoint={BUNDLED}", "+suite.models.slots.horizon=3"]
    told = armillary("benchmark", own, *words, "output=run")
    assert told.code == 0, told.err
    (row,) = results(tmp_path / "run")["rows"]
    assert (row["simulator"], row["schedule"]["horizon"]) == (BUNDLED, 3)


@pytest.mark.parametrize("word", ["planner=cem", "simulators=[noop]", "task=push_blocks"])
def test_words_cannot_say_what_the_suite_decides(
    armillary: Command, tmp_path: Path, word: str
) -> None:
    told = armillary("benchmark", "suite=smoke", word, "output=run")
    assert told.code == 2
    assert "decides" in told.err


def test_a_checkpoint_that_is_not_there_is_left_out_where_the_suite_says_so(
    armillary: Command, tmp_path: Path
) -> None:
    models = {"m": {"checkpoint": "runs/gone"}}
    own = suite(
        tmp_path / "own.yaml", [{"models": ["noop", "m"]}], models=models, skip_missing=True
    )
    assert armillary("benchmark", own, "output=run").code == 0
    assert results(tmp_path / "run")["skipped"] == ["m"]
    assert "Left out" in (tmp_path / "run/index.html").read_text()


def test_seeds_are_problems_of_their_own(armillary: Command, tmp_path: Path) -> None:
    rows = [{"models": ["noop", "random"], "seeds": [3, 9]}]
    assert armillary("benchmark", suite(tmp_path / "own.yaml", rows), "output=run").code == 0
    found = results(tmp_path / "run")
    assert [row["seed"] for row in found["rows"]] == [3, 3, 9, 9]
    assert len(found["comparisons"]) == 2
    assert {one["a"] for one in found["comparisons"]} == {
        "push_blocks from seed 3, noop",
        "push_blocks from seed 9, noop",
    }
    told = armillary("benchmark", "suite=own.yaml", "seed=5", "output=other")
    assert told.code == 2
    assert "its rows have seeds of their own; leave seed= out" in told.err


def test_tasks_under_names_of_their_own_are_not_compared(
    armillary: Command, tmp_path: Path
) -> None:
    tasks = {"two": {"task": "push_blocks", "task.environment.num_blocks": 2}}
    rows = [{"models": ["noop", "random"], "tasks": ["push_blocks", "two"]}]
    own = suite(tmp_path / "own.yaml", rows, tasks=tasks)
    assert armillary("benchmark", own, "output=run").code == 0
    found = results(tmp_path / "run")
    assert [row["task"] for row in found["rows"]] == 2 * ["push_blocks"] + 2 * ["two"]
    pairs = [(one["a"], one["b"]) for one in found["comparisons"]]
    assert pairs == [
        ("push_blocks, noop", "push_blocks, random"),
        ("two, noop", "two, random"),
    ]
