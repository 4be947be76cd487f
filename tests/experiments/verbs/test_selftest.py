"""benchmark card=true and selftest: what was measured of a checkpoint comes out again, or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from armillary.world_models.checkpoints.checkpoint import load_model, save_checkpoint
from tests.experiments.conftest import Command

SEARCH = ["planner=cem", "planner.samples=8", "planner.iterations=1", "planner.elites=2"]
SMALL = [*SEARCH, "horizon=4", "replan_interval=4", "task.max_steps=4", "episodes=3", "seed=7"]


@pytest.fixture
def model(armillary: Command, tmp_path: Path, checkpoint: Path) -> Path:
    """A checkpoint with a card, named ``model`` in the working directory."""
    here = tmp_path / "model"
    shutil.copytree(checkpoint / "checkpoints" / "last", here)
    words = ["simulators=[random,model]", *SMALL, "workers=0", "card=true", "output=measured"]
    told = armillary("benchmark", *words)
    assert told.code == 0, told.err
    return here


def card_of(model: Path) -> tuple[Path, dict[str, Any]]:
    (path,) = (model / "card").iterdir()
    return path, json.loads(path.read_text())


def test_a_card_says_what_was_measured_and_how(armillary: Command, model: Path) -> None:
    path, card = card_of(model)
    assert path.name.startswith("push_blocks-cem-")
    assert card["words"] == SMALL
    assert card["plugins"] == []
    assert card["commit"]
    assert card["versions"]["torch"]
    assert [episode["seed"] for episode in card["episodes"]] == [7, 8, 9]
    row = card["row"]
    assert (row["task"], row["planner"], row["seed"], row["episodes"]) == (
        "push_blocks",
        "cem",
        7,
        3,
    )
    assert row["ci95"][0] <= row["success_rate"] <= row["ci95"][1]
    assert armillary("report", "measured", "output=page.html").code == 0
    assert "0 of 3 (0 to 56 %) in push_blocks with cem" in (model.parent / "page.html").read_text()


def test_episodes_that_come_out_the_same_are_said_to(
    armillary: Command, tmp_path: Path, model: Path
) -> None:
    told = armillary("selftest", "checkpoint=model", "episodes=2", "output=again")
    assert told.code == 0, told.err
    assert "model: 2 episodes came out as its card says" in told.out
    found = json.loads((tmp_path / "again/results.json").read_text())
    assert found["same"]
    assert [one["here"]["seed"] for one in found["episodes"]] == [7, 8]
    assert all(one["here"] == one["there"] for one in found["episodes"])
    assert found["config"]["episodes"] == 2
    assert armillary("report", "again", "output=page.html").code == 0


def test_an_episode_that_comes_out_differently_fails_and_is_named(
    armillary: Command, tmp_path: Path, model: Path
) -> None:
    path, card = card_of(model)
    card["episodes"][1] = {"seed": 8, "success": True, "steps": 3}
    card["row"].update(successes=1, success_rate=1 / 3, ci95=[0.0, 1.0])
    path.write_text(json.dumps(card))
    told = armillary("selftest", "model", "output=again")
    assert told.code == 1
    assert "1 of 3 episodes came out differently here" in told.err
    assert "seed 8, success in 3 steps by the card, no success in 4 steps here" in told.err
    assert not json.loads((tmp_path / "again/results.json").read_text())["same"]


@pytest.mark.parametrize(("kept", "successes"), [(0, 0), (2, 0), (3, 2)])
def test_a_card_whose_episodes_are_others_than_its_row_says_is_refused(
    armillary: Command, model: Path, kept: int, successes: int
) -> None:
    path, card = card_of(model)
    card["episodes"] = card["episodes"][:kept]
    card["row"].update(successes=successes, success_rate=successes / 3, ci95=[0.0, 1.0])
    path.write_text(json.dumps(card))
    told = armillary("selftest", "model", "output=again")
    assert told.code == 2
    assert f"its row says {successes} of 3 episodes, it lists 0 of {kept}" in told.err


def test_a_card_of_other_weights_is_refused(
    armillary: Command, tmp_path: Path, model: Path
) -> None:
    _, card = card_of(model)
    other = load_model(model)
    next(other.parameters()).data.add_(1e-3)
    save_checkpoint(model, other, step=7)
    assert not (model / "card").exists(), "a new checkpoint has not been measured"
    (model / "card").mkdir()
    (model / "card" / "old.json").write_text(json.dumps(card))
    told = armillary("selftest", "checkpoint=model", "output=again")
    assert told.code == 2
    assert "other weights" in told.err


def test_a_card_cannot_make_a_selftest_run_code(
    armillary: Command, tmp_path: Path, model: Path
) -> None:
    path, card = card_of(model)
    card["words"].append("planner._target_=os.getcwd")
    path.write_text(json.dumps(card))
    told = armillary("selftest", "checkpoint=model", "output=again")
    assert told.code == 2
    assert "os.getcwd" in told.err


def test_plugins_that_a_card_was_measured_with_are_named_and_not_loaded(
    armillary: Command, tmp_path: Path, model: Path
) -> None:
    path, card = card_of(model)
    card["plugins"] = ["evil_plugin"]
    card["words"][0] = "planner=evil"
    path.write_text(json.dumps(card))
    (tmp_path / "evil_plugin.py").write_text("open('ran', 'w')")
    told = armillary("selftest", "checkpoint=model", "output=again")
    assert told.code == 2
    said = " ".join(told.err.split())
    assert "unknown planner 'evil'" in said
    assert "if you trust them, plugins=[evil_plugin]" in said
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_without_a_card_is_told_how_to_get_one(
    armillary: Command, checkpoint: Path
) -> None:
    told = armillary("selftest", f"checkpoint={checkpoint}", "output=again")
    assert told.code == 2
    assert "card=true" in told.err


def test_what_nobody_else_has_is_refused_before_anything_is_played(
    armillary: Command, tmp_path: Path, checkpoint: Path
) -> None:
    (tmp_path / "own.yaml").write_text("_target_: armillary.planners.cem.CEM\n")
    words = [f"simulators=[{checkpoint}]", "planner=own.yaml", "card=true", "output=run"]
    told = armillary("benchmark", *words)
    assert told.code == 2
    assert "'planner=own.yaml' is none" in told.err
    assert not (checkpoint / "card").exists()
