"""Where goals come from: functions, files, random play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest

from armillary.envs.image_goal.goals import GoalSource, function
from armillary.envs.image_goal.images import Seen
from armillary.errors import ArmillaryError

IMAGE = np.full((8, 8, 3), 7, np.uint8)
ENV = gym.Env()


def source(goal: Any, played: list[Any] | None = None, steps: int = 3) -> GoalSource:
    def play(seed: int, count: int) -> Seen:
        if played is not None:
            played.append((seed, count))
        return Seen(IMAGE, None)

    return GoalSource(goal, steps, ENV, play, 8)


def drawn(goal: Any, seed: int = 0) -> Seen:
    return source(goal).draw(5, np.random.default_rng(seed))


def test_goals_of_random_play_are_of_this_start_or_of_another() -> None:
    played: list[Any] = []
    rng = np.random.default_rng(0)
    for goal in ("future", "episode", "episode"):
        source(goal, played).draw(5, rng)
    seeds, counts = zip(*played, strict=True)
    assert seeds[0] == 5
    assert len(set(seeds)) == 3
    assert counts == (3, 3, 3)
    assert source("future", steps=1).draw(5, rng).image is IMAGE


def test_a_function_gives_an_image_and_maybe_a_state() -> None:
    assert drawn(lambda env, rng: IMAGE).state is None
    assert drawn(lambda env, rng: (IMAGE, None)).state is None
    seen = drawn(lambda env, rng: (IMAGE, [1, 2]))
    assert seen.state is not None
    assert (seen.state.tolist(), seen.state.dtype) == ([1.0, 2.0], np.float64)
    asked: list[Any] = []
    rng = np.random.default_rng(0)
    source(lambda *given: asked.extend(given) or IMAGE).draw(5, rng)
    assert asked == [ENV, rng]


@pytest.mark.parametrize("wrong", [IMAGE[:7], IMAGE.astype(float), IMAGE[..., 0]])
def test_another_image_is_refused(wrong: Any) -> None:
    with pytest.raises(ArmillaryError, match=r"goal images must be \(8, 8, 3\) uint8, got"):
        drawn(lambda env, rng: wrong)


def test_a_recorded_goal_is_any_frame_but_the_first_with_its_pose(tmp_path: Path) -> None:
    numbers = np.arange(12).reshape(3, 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        frames = np.broadcast_to(numbers[..., None, None, None], (3, 4, 8, 8, 3))
        file["train/imgs"] = frames.astype(np.uint8)
        file["train/poses"] = numbers[..., None] / 10
    found = set()
    for seed in range(80):
        seen = drawn(str(tmp_path / "a.h5"), seed)
        number = int(seen.image[0, 0, 0])
        assert seen.state is not None
        assert seen.state.tolist() == [number / 10]
        found.add(number)
    assert found == set(numbers[:, 1:].ravel().tolist())


def test_files_that_hold_no_frames_are_refused(tmp_path: Path) -> None:
    for name, shape in (("none", (0, 4, 8, 8, 3)), ("flat", (3, 4, 8, 8)), ("bare", None)):
        path = tmp_path / f"{name}.hdf5"
        with h5py.File(path, "w") as file:
            if shape is not None:
                file["train/imgs"] = np.zeros(shape, np.uint8)
        with pytest.raises(ArmillaryError, match="a file that collect or convert wrote"):
            drawn(str(path))
    with h5py.File(tmp_path / "pure.h5", "w") as file:
        file["train/imgs"] = np.zeros((1, 2, 8, 8, 3), np.uint8)
    assert drawn(str(tmp_path / "pure.h5")).state is None


def test_functions_are_found_by_their_names() -> None:
    assert function("math:floor", "goal", ("a",))(2.5) == 2
    assert function(len, "goal", ("a",)) is len
    for name, message in (("floor", "must be one of"), ("math:flor", "goal=math:flor: ")):
        with pytest.raises(ArmillaryError, match=message):
            function(name, "goal", ("a",))
