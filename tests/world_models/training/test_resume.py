"""A resumed run is the uninterrupted run, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from armillary.world_models.checkpoints.checkpoint import load_model, load_state, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.training.schedule import Stage
from tests.world_models.training.runs import JOINT, STAGED, config, fit, fresh


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
