"""PushT's problems: from play on the spot, from files, clean ones, and files that do not do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from armillary.envs.push_t.criterion import differences, tolerances
from armillary.envs.push_t.environment import PushTEnv
from armillary.envs.push_t.layout import Factors
from armillary.envs.push_t.policies import PushPolicy
from armillary.envs.push_t.problems import LEAST_MOTION, LEAST_TURN, Problems
from armillary.errors import ArmillaryError, DataError
from armillary.world_models.data import EpisodeWriter, Provenance


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("distance", [25, 50, 75])
def test_starts_are_unsolved_and_a_seed_determines_them(distance: int) -> None:
    problems = Problems("episode", distance, None)
    for seed in range(3):
        start, goal = problems.draw(rng(seed), Factors())
        assert tolerances(start[:5], goal[:5]) >= 1.0
        again = problems.draw(rng(seed), Factors())
        assert np.array_equal(start, again[0])
        assert np.array_equal(goal, again[1])


def test_clean_problems_start_at_rest_and_have_the_block_moved() -> None:
    problems = Problems("clean", 25, None)
    for seed in range(5):
        start, goal = problems.draw(rng(seed), Factors())
        place, turn = differences(start[:5], goal[:5])
        assert np.linalg.norm((goal - start)[2:4]) >= LEAST_MOTION or turn >= LEAST_TURN
        assert place > 0
        assert not start[5:10].any()


Record = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Writes a file of three episodes as ``collect`` does."""

    def write(
        length: int = 7,
        environment: str = "armillary/PushT-v0",
        stay: bool = False,
        spoil: Callable[[np.ndarray], np.ndarray] = lambda poses: poses,
    ) -> Path:
        path = tmp_path / "episodes.h5"
        told = {"environment_action": "held"}
        origin = Provenance(environment, "scripted", 0, "as told", "armillary collect", told)
        env, policy = PushTEnv(terminate_on_success=False), PushPolicy(free=0.0)
        with EpisodeWriter(path, origin, overwrite=True) as writer:
            for index, split in enumerate(("train", "val", "test")):
                observation, _ = env.reset(seed=index)
                policy.reset(rng(index))
                seen, actions = [observation], []
                for _ in range(length - 1):
                    action = np.zeros(2, np.float32) if stay else policy.act(env.snapshot())
                    seen.append(env.step(action)[0])
                    actions.append(action)
                frames = np.stack([one["image"] for one in seen])
                poses = spoil(np.stack([one["observation"] for one in seen]))
                writer.add(split, frames, np.stack(actions), extras={"poses": poses})
        return path

    return write


def test_problems_of_a_file_are_scenes_of_its_episodes(record: Record) -> None:
    path = record()
    env = PushTEnv(episodes=str(path), distance=25, vary=["agent_color"])
    observation, info = env.reset(seed=3)
    assert not info["is_success"]
    assert env.snapshot()[12:15].tolist() != list(Factors().agent_color)
    import h5py

    with h5py.File(path) as file:
        poses = file["test/poses"][:]
    start = np.abs(poses - observation["observation"]).max(-1)
    goal = np.abs(poses[..., :5] - observation["desired_goal"]).max(-1)
    (episode, time), (other, later) = np.argwhere(start == 0)[0], np.argwhere(goal == 0)[0]
    assert episode == other
    assert later - time == 5


def refused(path: Path, message: str, **settings: Any) -> None:
    with pytest.raises(ArmillaryError, match=message):
        PushTEnv(**{"episodes": str(path), **settings}).reset(seed=0)


def test_files_that_do_not_do_are_refused(record: Record, tmp_path: Path) -> None:
    refused(tmp_path / "none.h5", "there is no such file")
    path = record()
    refused(path, "7 frames, which are 30 control steps, and distance=50", distance=50)
    refused(path, "fresh scenes, which no file holds", problems="clean")
    refused(record(environment="armillary/PushBlocks-v0"), "of the environment")
    refused(record(stay=True), "none starts unsolved")


@pytest.mark.parametrize(
    "spoil", [lambda poses: poses[:, :10], lambda poses: poses * np.linspace(1, 1.2, 7)[:, None]]
)
def test_files_of_another_version_are_refused(record: Record, spoil: Any) -> None:
    path = record(spoil=spoil)
    with pytest.raises(DataError, match="recorded by another version of armillary/PushT-v0"):
        PushTEnv(episodes=str(path))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [(0, np.nan, "finite"), (4, np.inf, "finite"), (10, 0.0, "radii"), (11, -1.0, "scales")],
)
def test_what_no_physics_can_take_is_refused(
    record: Record, column: int, value: float, told: str
) -> None:
    def spoil(poses: NDArray[Any]) -> NDArray[Any]:
        poses[3, column] = value
        return poses

    with pytest.raises(DataError, match=told):
        PushTEnv(episodes=str(record(spoil=spoil)))
