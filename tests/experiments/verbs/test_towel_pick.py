"""TowelPick from the command line: its episodes train what is published for BAIR's."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from tests.experiments.conftest import Command

SMALL = (
    *("model.num_slots=2", "model.latent_size=4", "model.conv_channels=4"),
    *("model.lstm_hidden=8", "model.rollouts=2"),
)
SHORT = (
    *("trainer.batch_size=1", "trainer.max_steps=1", "trainer.validation_clips=1"),
    *("trainer.validation_rollouts=1", "trainer.validation_horizon=1", "output=run"),
)


def test_published_experiments_train_on_its_episodes(armillary: Command, tmp_path: Path) -> None:
    words = ["task=towel_pick", "episodes=6", "length=10", "workers=0", "out=towel.h5"]
    assert armillary("collect", *words, "output=collected").code == 0
    with h5py.File(tmp_path / "towel.h5") as file:
        assert file["train/imgs"].shape == (4, 10, 64, 64, 3)  # type: ignore[union-attr]
        assert file["train/actions"].shape == (4, 9, 4)  # type: ignore[union-attr]
        assert int(file["train/masks"][()].max()) == 5  # type: ignore[index]
    told = armillary(
        "train", "experiment=bair_actions/sdvae_davos", "data.path=towel.h5", *SMALL, *SHORT
    )
    assert told.code == 0, told.err
    assert (tmp_path / "run" / "checkpoints" / "last").is_dir()


@pytest.mark.parametrize("task", ["towel_pick", "towel_pick_lift"])
def test_floors_are_measured(armillary: Command, task: str) -> None:
    words = (f"task={task}", "simulators=[noop]", "episodes=2", "task.max_steps=3", "workers=0")
    told = armillary("benchmark", *words, "output=run")
    assert told.code == 0, told.err
    assert "noop" in told.out


def test_goals_may_name_an_object_and_its_place(armillary: Command, tmp_path: Path) -> None:
    told = armillary(
        *("benchmark", "task=towel_pick", "goal=object", "simulators=[oracle]", "seed=1"),
        *("goal.items=[{slot: 2, to: [0.5, 0.6]}]", "episodes=1", "task.max_steps=2", "workers=0"),
        *("planner.samples=4", "planner.iterations=1", "planner.elites=2", "horizon=2"),
        "output=run",
    )
    assert told.code == 0, told.err
    rows = json.loads((tmp_path / "run" / "results.json").read_text())["rows"]
    assert [row["success_by"] for row in rows] == ["true places"]


def test_an_image_size_that_it_does_not_draw_is_refused(armillary: Command) -> None:
    told = armillary("collect", "task=towel_pick", "image_size=32", "episodes=4", "output=run")
    assert told.code == 2
    assert "image_size must be one of [64, 96, 128], got 32" in told.err
