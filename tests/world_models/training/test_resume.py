"""A resumed run is the uninterrupted run, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from armillary.world_models.checkpoints.checkpoint import load_model, load_state, read_info
from armillary.world_models.checkpoints.locate import CheckpointError
from armillary.world_models.data import EpisodeFile
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.trainer import Trainer
from tests.world_models.training.runs import JOINT, STAGED, Recorder, config, fit, fresh


def leaves(tree: Any) -> list[Any]:
    """Every number and tensor of nested containers, in order, comparable with ==."""
    if isinstance(tree, Tensor):
        return tree.flatten().tolist()
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree, key=str) for leaf in [key, *leaves(tree[key])]]
    if isinstance(tree, list | tuple):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def resumable(directory: Path) -> list[Any]:
    """All that ``last`` holds, but for the time it took."""
    state = load_state(read_info(directory / "checkpoints" / "last"))
    del state["seconds"]
    weights = dict(load_model(directory / "checkpoints" / "last").state_dict())
    return leaves({"state": state, "weights": weights})


@pytest.mark.parametrize("stages", [JOINT, STAGED], ids=["joint", "staged"])
@pytest.mark.parametrize("stop", [3, 6, 12], ids=["first_stage", "boundary", "later"])
def test_resumed_run_equals_uninterrupted_run(
    episodes: EpisodeFile, tmp_path: Path, stages: tuple[Stage, ...], stop: int
) -> None:
    _, whole = fit(episodes, config(stages), tmp_path / "whole")
    first_outcome, first = fit(episodes, config(stages), tmp_path / "parts", stop_at=stop)
    assert first_outcome.interrupted
    assert first_outcome.step == stop
    # Another initialisation and other random numbers before: all must come from the checkpoint.
    outcome, second = fit(episodes, config(stages), tmp_path / "parts", fresh(seed=99))
    assert not outcome.interrupted
    assert outcome.step == 20
    assert [report.step for report in second.steps] == list(range(stop + 1, 21))
    joined = first.steps + second.steps
    assert [report.losses for report in joined] == [report.losses for report in whole.steps]
    assert [r.learning_rate for r in joined] == [r.learning_rate for r in whole.steps]
    validations = first.validations + second.validations
    assert [r.metrics for r in validations] == [r.metrics for r in whole.validations]
    assert resumable(tmp_path / "parts") == resumable(tmp_path / "whole")


def test_killed_run_resumes_from_last(episodes: EpisodeFile, tmp_path: Path) -> None:
    _, whole = fit(episodes, config(STAGED), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(episodes, config(STAGED), tmp_path / "parts", kill_at=13)
    _, second = fit(episodes, config(STAGED), tmp_path / "parts")
    assert second.steps[0].step == 11
    assert [r.losses for r in second.steps] == [r.losses for r in whole.steps[10:]]
    assert resumable(tmp_path / "parts") == resumable(tmp_path / "whole")


DATA = {"file": "d.h5", "path": "x/d.h5", "content_id": "1" * 64, "attributes": {"seed": 1}}


def go_on(
    episodes: EpisodeFile, directory: Path, steps: int, *, changed: bool = False, **changes: Any
) -> Recorder:
    """Trains up to some steps, a validation after each, on data that say what ``changes`` say."""
    data = {**DATA, **changes.pop("data", {})}
    record = Recorder()
    settings = config(JOINT, max_steps=steps, validate_every=1, **changes)
    trainer = Trainer(settings, directory, [record], description=data)
    splits = (episodes.split("train"), episodes.split("val"))
    trainer.fit(fresh(), *splits, data_changed=changed)
    return record


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"content_id": "2" * 64}, r"x/d.h5 \(id 1{12}\) there and x/d.h5 \(id 2{12}\) here"),
        ({"content_id": None}, {"attributes": {"seed": 2}}, "d.h5 there and .* other attributes"),
        ({}, {"path": "y/e.h5", "file": "e.h5", "attributes": {"seed": 2}}, None),
        ({"content_id": None}, {"content_id": None}, None),
    ],
    ids=["content", "before ids", "moved", "unknown"],
)
def test_a_run_goes_on_with_its_data(
    episodes: EpisodeFile, tmp_path: Path, before: dict, now: dict, told: str | None
) -> None:
    go_on(episodes, tmp_path, 1, data=before)
    if told is None:
        assert go_on(episodes, tmp_path, 2, data=now).steps
        return
    with pytest.raises(CheckpointError, match=f"trained on other data: {told}"):
        go_on(episodes, tmp_path, 2, data=now)
    assert read_info(tmp_path / "checkpoints" / "last").step == 1


def test_other_data_that_are_meant_are_recorded(episodes: EpisodeFile, tmp_path: Path) -> None:
    go_on(episodes, tmp_path, 2)
    statistics = load_model(tmp_path).action_std.tolist()
    second = go_on(episodes, tmp_path, 3, changed=True, data={"content_id": "2" * 64})
    assert second.validations[0].improved, "the best of other data does not count"
    go_on(episodes, tmp_path, 4, data={"content_id": "2" * 64})
    for name in ("best", "last"):
        kept = read_info(tmp_path / "checkpoints" / name).data
        assert kept["content_id"] == "2" * 64
        former = {"file": "d.h5", "path": "x/d.h5", "content_id": "1" * 64, "until_step": 2}
        assert kept["former"] == [former]
    assert load_model(tmp_path).action_std.tolist() == statistics


@pytest.mark.parametrize("change", [{"best_metric": "open_loop_ari"}, {"validation_clips": 3}])
def test_the_best_is_judged_anew_by_another_measure(
    episodes: EpisodeFile, tmp_path: Path, change: dict[str, Any]
) -> None:
    """An ARI, at most 1, would never reach what a PSNR was."""
    go_on(episodes, tmp_path, 2)
    best = tmp_path / "checkpoints" / "best"
    metric = change.get("best_metric", "open_loop_psnr")
    former = read_info(best).metrics[metric] if "best_metric" in change else float("-inf")
    second = go_on(episodes, tmp_path, 12, **change)
    scores = [report.metrics[metric] for report in second.validations]
    assert read_info(best).metrics[metric] == max(former, *scores)
    assert second.validations[0].improved == (scores[0] > former)
    third = go_on(episodes, tmp_path, 13, **change)
    score = third.validations[0].metrics[metric]
    assert third.validations[0].improved == (score > max(former, *scores))
