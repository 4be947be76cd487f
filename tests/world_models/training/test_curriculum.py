"""Stages of a given number of steps: targets, one optimiser throughout, ends of steps, resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tests.world_models.training.models  # noqa: F401  registers
from armillary.world_models.checkpoints.checkpoint import load_model, load_state, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.trainer import Trainer
from tests.world_models.training.runs import JOINT, STAGED, Recorder, config, fit, fresh
from tests.world_models.training.test_resume import resumable

FIRST = replace(
    JOINT[0], fraction=None, steps=7, length=3, target=0.5, warmup=0.0, decay="none", batch_size=8
)
CURRICULUM = (
    FIRST,
    replace(FIRST, steps=3, length=4, target=0.4, batch_size=6, keep_optimizer=True),
    replace(FIRST, steps=5, length=5, target=None, batch_size=4, keep_optimizer=True),
)


def curriculum(stages: tuple[Stage, ...] = CURRICULUM, **changes: Any) -> TrainerConfig:
    return config(stages, **{"max_steps": None, **changes})


def constrained() -> Any:
    return fresh("constrained_toy")


def test_stages_switch_at_their_steps_and_the_run_ends_after_the_last(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    outcome, record = fit(episodes, curriculum(), tmp_path, constrained())
    assert (outcome.step, outcome.interrupted) == (15, False)
    # Step n of a report is the (n - 1)th that the loss was given.
    assert [r.stage_index for r in record.steps] == [0] * 7 + [1] * 3 + [2] * 5
    assert {r.learning_rate for r in record.steps} == {1e-2}
    assert [r.progress for r in record.steps][-2:] == [14 / 15, 1.0]


def test_shorter_run_is_the_beginning_of_the_whole_one(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    _, whole = fit(episodes, curriculum(), tmp_path / "whole", constrained())
    outcome, short = fit(episodes, curriculum(max_steps=9), tmp_path / "short", constrained())
    assert outcome.step == 9
    assert [r.losses for r in short.steps] == [r.losses for r in whole.steps[:9]]
    # And can be continued to the end.
    fit(episodes, curriculum(), tmp_path / "short", constrained())
    assert resumable(tmp_path / "short") == resumable(tmp_path / "whole")


def test_targets_are_set_when_stages_start_and_stay(episodes: EpisodeFile, tmp_path: Path) -> None:
    model = constrained()
    seen: list[float] = []

    class Watch(Recorder):
        def on_step(self, report: Any) -> None:
            seen.append(round(float(model.target), 6))

    trainer = Trainer(curriculum(), tmp_path, [Watch()])
    trainer.fit(model, episodes.split("train"), episodes.split("val"))
    assert seen == [0.5] * 7 + [0.4] * 8
    assert int(model.calls) == 15


def test_moving_averages_follow_the_mean_of_all_parts(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    model = constrained()
    settings = curriculum((replace(FIRST, steps=4),), accumulate=4)
    _, record = fit(episodes, settings, tmp_path, model)
    average = torch.tensor(0.0)
    for report in record.steps:
        average.lerp_(torch.tensor(report.losses["reconstruction"]) - 0.5, 0.1)
    assert float(model.average) == float(average)


@pytest.mark.parametrize("stop", [3, 7, 9, 12], ids=["first", "boundary", "second", "last"])
def test_resumed_curriculum_equals_uninterrupted_one(
    episodes: EpisodeFile, tmp_path: Path, stop: int
) -> None:
    _, whole = fit(episodes, curriculum(), tmp_path / "whole", constrained())
    _, first = fit(episodes, curriculum(), tmp_path / "parts", constrained(), stop_at=stop)
    other = fresh("constrained_toy", seed=99)
    _, second = fit(episodes, curriculum(), tmp_path / "parts", other)
    assert [r.losses for r in first.steps + second.steps] == [r.losses for r in whole.steps]
    assert resumable(tmp_path / "parts") == resumable(tmp_path / "whole")
    buffers = [load_model(tmp_path / name / "checkpoints/last") for name in ("whole", "parts")]
    for name in ("target", "average", "calls"):
        assert torch.equal(*(model.state_dict()[name] for model in buffers))


@pytest.mark.parametrize("keep", [True, False])
def test_optimizer_is_kept_only_where_the_stage_says_so(
    episodes: EpisodeFile, tmp_path: Path, keep: bool
) -> None:
    stages = (FIRST, replace(FIRST, steps=5, keep_optimizer=keep))
    fit(episodes, curriculum(stages), tmp_path, constrained())
    state = load_state(read_info(tmp_path / "checkpoints" / "last"))["update"]["optimizer"]
    assert {int(moments["step"]) for moments in state["state"].values()} == {12 if keep else 5}


def test_kept_optimizer_makes_one_run_of_two_equal_stages(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    one = (replace(FIRST, steps=10),)
    two = (replace(FIRST, steps=4), replace(FIRST, steps=6, keep_optimizer=True))
    _, whole = fit(episodes, curriculum(one), tmp_path / "one", constrained())
    _, split = fit(episodes, curriculum(two), tmp_path / "two", constrained())
    assert [r.losses for r in split.steps] == [r.losses for r in whole.steps]


@pytest.mark.parametrize(
    ("stages", "model", "message"),
    [
        (
            (STAGED[0], replace(STAGED[1], keep_optimizer=True)),
            "toy",
            "stage 1 has keep_optimizer=true but its objective 'dynamics' does not train",
        ),
        ((replace(JOINT[0], keep_optimizer=True),), "toy", "stage 0 has no stage before it"),
        ((replace(JOINT[0], target=1.0),), "toy", "ToyModel has no reconstruction target"),
    ],
)
def test_what_a_model_cannot_do_is_refused_before_any_work(
    episodes: EpisodeFile, tmp_path: Path, stages: tuple[Stage, ...], model: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(episodes, config(stages), tmp_path, fresh(model))
    assert list(tmp_path.iterdir()) == []


def test_checking_a_target_leaves_the_model_as_it_is(episodes: EpisodeFile, tmp_path: Path) -> None:
    stages = (replace(FIRST, target=None), replace(FIRST, target=3.0))
    model = constrained()
    fit(episodes, curriculum(stages, max_steps=2), tmp_path, model)
    assert float(model.target) == -1.0
