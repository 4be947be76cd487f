"""PushT's physics: the field's own trajectories, purity, and what stays where it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from armillary.envs.push_t import physics
from armillary.envs.push_t.layout import Factors, fresh_scene

RECORDED = json.loads((Path(__file__).parent / "gym_pusht.json").read_text(encoding="utf-8"))


def scene_of(state: list[float]) -> physics.Scene:
    """A scene of the field's look in a recorded state."""
    scene = np.zeros(physics.SCENE_SIZE)
    scene[physics.DYNAMICS] = state
    scene[physics.FACTORS] = Factors().vector
    return scene


def compared(scenes: NDArray[np.float64], states: NDArray[np.float64]) -> list[float]:
    """Greatest difference of the agent's place, mean and greatest of the T's, and of its angle."""
    off = scenes[:, :5] - states[:, :5]
    block = np.linalg.norm(off[:, 2:4], axis=1)
    return [np.abs(off[:, :2]).max(), block.mean(), block.max(), np.abs(off[:, 4]).max()]


def test_it_moves_as_gym_pusht_does() -> None:
    """100 control steps of pushing in one go, against gym-pusht 0.1.8 on pymunk 6.11.1."""
    found = []
    for episode in RECORDED["episodes"]:
        states = np.array(episode["states"])
        targets = [tuple(t) for t in episode["targets"] for _ in range(RECORDED["hold"])]
        moved = np.linalg.norm(np.diff(states[:, 2:4], axis=0), axis=1).sum()
        assert moved > 200, "the T is pushed about"
        found.append(compared(physics.control(scene_of(episode["states"][0]), targets), states[1:]))
    agent, mean, most, turn = np.array(found).T
    assert agent.max() < 1e-6
    assert mean.mean() < 0.012
    assert most.max() < 0.17
    assert turn.max() < 0.002


def test_a_space_made_anew_for_every_action_hardly_differs() -> None:
    """The solver then starts without its last impulses; corners that slip make more of it."""
    found = []
    for episode in RECORDED["episodes"]:
        scenes = [scene_of(episode["states"][0])]
        for target in episode["targets"]:
            scenes.extend(physics.control(scenes[-1], [tuple(target)] * RECORDED["hold"]))
        found.append(compared(np.stack(scenes), np.array(episode["states"])))
    agent, mean, _, _ = np.array(found).T
    assert agent.max() < 1e-6
    assert np.median(mean) < 0.1


def scene(seed: int = 0) -> physics.Scene:
    return fresh_scene(np.random.default_rng(seed), Factors())


def test_the_argument_is_left_as_it_was_and_the_result_is_a_function_of_it() -> None:
    start = scene()
    kept = start.copy()
    actions = np.random.default_rng(0).uniform(-1, 1, (8, 2))
    first, second = (physics.simulate(start, actions) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(start, kept)
    # From any scene on the way it goes on as it did.
    assert np.array_equal(physics.simulate(first[3], actions[4:]), first[4:])


def test_what_is_not_touched_does_not_move() -> None:
    start = scene()
    start[0:2], start[2:5] = (60.0, 60.0), (350.0, 300.0, 0.3)
    end = physics.simulate(start, np.array([[0.5, 0.5]]))[-1]
    assert np.array_equal(end[2:5], start[2:5])
    assert end[0:2] == pytest.approx([110.0, 110.0], abs=3.0)


def test_targets_stay_in_the_arena_and_walls_stop_the_block_alone() -> None:
    start = scene()
    start[0:2], start[2:5] = (256.0, 200.0), (256.0, 330.0, 0.0)
    scenes = physics.simulate(start, np.tile([0.0, 1.0], (6, 1)))
    assert scenes[-1, 1] == pytest.approx(physics.ARENA, abs=1.0)
    scale = start[11]
    assert physics.corners(*scenes[-1, 2:5], scale)[:, 1].max() < 520.0
    assert physics.target_of(start, np.array([-5.0, 1.0])) == (0.0, 300.0)


def test_the_moment_counts_the_bar_twice() -> None:
    """As in the field's code, which takes the bar's corners for the stem's, too."""
    import pymunk

    block = physics._add_block(pymunk.Space(), 30.0)
    bar = [(-60.0, 30.0), (60.0, 30.0), (60.0, 0.0), (-60.0, 0.0)]
    assert block.moment == pytest.approx(2 * pymunk.moment_for_poly(1.0, bar))
    assert block.center_of_gravity == (0.0, 45.0)
