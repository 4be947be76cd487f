"""Verbs with ``deterministic=true``: nothing is computed that has no deterministic kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.experiments.conftest import Command
from tests.operators import Operators

SEARCH = ("planner.samples=4", "planner.iterations=2", "planner.elites=2", "horizon=2")
TASK = (*SEARCH, "task.max_steps=2", "replan_interval=1", "episodes=1", "workers=0")
OF_DATA = ("data.path={episodes}", "checkpoint={checkpoint}", "horizon=2")
VERBS = {
    "train": (
        *("data.path={episodes}", "trainer.max_steps=3", "trainer.batch_size=2"),
        *("trainer.validate_every=2", "trainer.validation_clips=1"),
    ),
    "evaluate": (*OF_DATA, "videos=1", "rollouts=2"),
    "generate": (*OF_DATA, "videos=1", "output=out.h5", "record=out"),
    "benchmark": (*TASK, "simulators=[{checkpoint}]"),
    "render": (*SEARCH, *OF_DATA[:2], "samples=1", "task.max_steps=1", "side=48"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_operator_has_one(
    armillary: Command, episodes: Path, checkpoint: Path, verb: str
) -> None:
    words = [word.format(episodes=episodes, checkpoint=checkpoint) for word in VERBS[verb]]
    words = words if "record=out" in words else [*words, "output=out"]
    with Operators() as seen:
        done = armillary(verb, *words, "deterministic=true")
    assert done.code == 0, done.err
    assert len(seen.names) > 20
    assert not seen.refused
    assert json.loads(Path("out", "run.json").read_text())["deterministic"]
