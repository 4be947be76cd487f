"""What a search considered last: its own candidates, best first, where the model sees them go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armillary.envs.push_blocks.oracle import PushOracle
from armillary.experiments.command.config import compose
from armillary.experiments.films.chosen import filmed
from armillary.experiments.planning.candidates import MOST
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.planning.planned_episode import PlannedEpisode, play

WORDS = ["task.max_steps=4", "horizon=3", "replan_interval=2", "workers=0"]


def played(*words: str, name: str = "oracle") -> PlannedEpisode:
    entry = entry_of(name, compose("benchmark", [*WORDS, *words]))
    with entry.resources:
        (found,) = play(entry.make_env, entry.agent, entry.simulator, [3], candidates=True)
    return found


def test_every_plan_has_its_candidates_from_where_things_are() -> None:
    found = played("planner=cem", "planner.samples=40", "planner.iterations=2")
    assert len(found.candidates) == max(found.plan_numbers) + 1 == 2
    for tracks in found.candidates:
        assert tracks.shape == (MOST, 4, 6, 2)
        assert np.isfinite(tracks).all()
        assert (tracks[:, 0] == tracks[:1, 0]).all(), "all begin where things are"
        assert len(np.unique(tracks[:, -1, 1], axis=0)) > 10, "the pusher goes everywhere"


def test_the_first_candidate_is_the_best_and_the_plan() -> None:
    """With one iteration the plan is the best of the candidates that were scored last."""
    found = played("planner=random_shooting", "planner.samples=30", "planner.iterations=1")
    tracks = found.candidates[0]
    oracle = PushOracle(image_size=32)
    env = entry_of("oracle", compose("benchmark", WORDS)).make_env()
    env.reset(seed=3)
    for step, action in enumerate(found.episode.actions[:2], 1):
        seen = oracle.poses(env.step(action)[0]["state"][None])[0, :, :2]
        assert np.allclose(seen, tracks[0, step], atol=1e-4)
    env.close()


@pytest.mark.parametrize("planner", ["gradient", "inverse_dynamics", "two_level", "collocation"])
def test_whatever_searches_can_be_watched(planner: str) -> None:
    found = played(f"planner={planner}", name="pretrained/push_blocks")
    for tracks in found.candidates:
        assert 0 < len(tracks) <= MOST
        assert tracks.shape[1:] == (4, 5, 2)


def test_watching_changes_nothing() -> None:
    entry = entry_of("oracle", compose("benchmark", [*WORDS, "planner.samples=30"]))
    with entry.resources:
        (plain,) = play(entry.make_env, entry.agent, entry.simulator, [3])
    watched = played("planner.samples=30")
    assert np.array_equal(plain.episode.actions, watched.episode.actions)


def test_chosen_episodes_are_filmed(tmp_path: Path) -> None:
    entry = entry_of("oracle", compose("benchmark", [*WORDS, "planner.samples=30"]))
    found = list(filmed(entry, [3, 5], tmp_path / "films"))
    assert [episode.seed for episode, _ in found] == [3, 5]
    assert [path.name for _, path in found] == ["3.gif", "5.gif"]
    assert all(path.stat().st_size > 1000 for _, path in found)
