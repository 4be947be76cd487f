"""Collected files: what the environment did, the same for any number of workers, split cleanly."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest

from armillary.experiments.command.config import compose
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.recording import Recipe, Recording, record
from armillary.experiments.verbs import collect
from armillary.experiments.verbs.collect import recipe_of, split_names
from armillary.world_models.data import EpisodeFile, EpisodeWriter
from tests.experiments.conftest import EPISODES, LENGTH, Command


def test_file_holds_what_was_asked_for(episodes: Path) -> None:
    file = EpisodeFile(episodes)
    counts = {name: info.episodes for name, info in file.splits.items()}
    assert counts == {"train": 6, "val": 1, "test": 1}
    assert file.split("train").length == LENGTH
    assert file.split("train").has_masks
    assert file.attributes["environment"] == "armillary/PushBlocks-v0"
    assert "episodes=8" in file.attributes["command"]


@pytest.mark.parametrize("workers", ["2", "-1"])
def test_file_does_not_depend_on_workers(
    armillary: Command, tmp_path: Path, episodes: Path, workers: str
) -> None:
    words = [f"episodes={EPISODES}", f"length={LENGTH}", f"workers={workers}", "out=again.h5"]
    assert armillary("collect", *words, "output=run").code == 0
    assert (tmp_path / "again.h5").read_bytes() == episodes.read_bytes()


def test_recorded_command_makes_the_file_again(
    armillary: Command, tmp_path: Path, episodes: Path
) -> None:
    words = EpisodeFile(episodes).attributes["command"].split()[1:]
    assert armillary(*words, "out=again.h5", "workers=0").code == 0
    assert (tmp_path / "again.h5").read_bytes() == episodes.read_bytes()


def test_masks_and_poses_belong_to_the_frames(episodes: Path) -> None:
    split = EpisodeFile(episodes).split("train")
    for episode in range(len(split)):
        labels, poses = split.labels(episode), split.extra("poses", episode)
        assert set(np.unique(labels)) == {0, 1, 2, 3, 4}
        rows, columns = np.nonzero(labels[5] == 1)
        centre = (np.array([columns.mean(), rows.mean()]) + 0.5) / 32
        assert np.abs(centre - poses[5, :2]).max() < 1 / 32
        moved = np.diff(poses[:, :2], axis=0)
        clear = (poses[1:, :2] > 0.07).all(1) & (poses[1:, :2] < 0.93).all(1)
        assert np.allclose(moved[clear], 0.1 * split.actions(episode)[clear], atol=0.03)


def test_episodes_go_on_after_success_and_share_no_problem_with_benchmarks() -> None:
    config = compose("collect", ["length=30", "policy=scripted"])
    recipe = recipe_of(config)
    recorded = [record(recipe, index) for index in range(4)]
    assert all(len(episode.frames) == 30 for episode in recorded)
    env = gym.make("armillary/PushBlocks-v0")
    posed = [env.reset(seed=seed)[0]["observation"] for seed in range(4)]
    for episode in recorded:
        assert not any(np.allclose(episode.extras["poses"][0], start) for start in posed)
    assert not np.allclose(recorded[0].extras["poses"][0], recorded[1].extras["poses"][0])


def test_collections_of_neighbouring_seeds_have_no_episode_in_common() -> None:
    at_0, at_2 = (recipe_of(compose("collect", [f"seed={s}", "length=4"])) for s in (0, 2))
    ours, theirs = ([record(at, index).frames[0] for index in range(5)] for at in (at_0, at_2))
    assert not any(np.array_equal(one, other) for one in ours for other in theirs)
    assert np.array_equal(record(at_2, 3).frames[0], theirs[3])


def test_scripted_policy_moves_blocks_more_than_random() -> None:
    moved = {}
    for policy in ("random", "scripted"):
        recipe = recipe_of(compose("collect", [f"policy={policy}"]))
        poses = np.stack([record(recipe, index).extras["poses"] for index in range(12)])
        blocks = poses[:, :, 2:].reshape(12, 20, 4, 4)[..., :2]
        moved[policy] = np.linalg.norm(blocks[:, -1] - blocks[:, 0], axis=-1).max(-1).mean()
    assert moved["scripted"] > 1.5 * moved["random"]


def test_noise_is_in_the_recorded_actions() -> None:
    quiet, noisy = (
        record(recipe_of(compose("collect", ["policy=random", f"noise={n}"])), 0).actions
        for n in (0.0, 0.5)
    )
    assert np.abs(quiet - noisy).mean() > 0.1
    assert np.abs(noisy).max() <= 1.0


def test_existing_file_is_kept_unless_overwritten(armillary: Command, tmp_path: Path) -> None:
    words = ["collect", "episodes=3", "length=3", "workers=0", "out=data.h5"]
    assert armillary(*words, "output=a").code == 0
    before = (tmp_path / "data.h5").read_bytes()
    told = armillary(*words, "output=b", "seed=1")
    assert told.code == 2
    assert "the file exists" in told.err
    assert (tmp_path / "data.h5").read_bytes() == before
    assert armillary(*words, "output=c", "seed=1", "overwrite=true").code == 0
    assert (tmp_path / "data.h5").read_bytes() != before


WORDS = ("collect", "episodes=8", "length=3", "workers=0", "out=data.h5")


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pieces of three episodes, and the episodes that were recorded for them."""
    recorded: list[int] = []

    def watched(recipe: Recipe, index: int) -> Recording:
        recorded.append(index)
        return record(recipe, index)

    monkeypatch.setattr(collect, "PIECE", 3)
    monkeypatch.setattr(collect, "record", watched)
    return recorded


@pytest.mark.parametrize("ended", [1, 3, 5, 9])
def test_a_collection_that_was_stopped_goes_on(
    armillary: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_pieces: list[int],
    ended: int,
) -> None:
    original, added = EpisodeWriter.add, []

    def add(*arguments: Any) -> None:
        if len(added) == ended:
            raise KeyboardInterrupt
        added.append(1)
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(EpisodeWriter, "add", add)
        assert armillary(*WORDS, "output=run").code == 130
    assert not (tmp_path / "data.h5").exists()
    small_pieces.clear()
    assert armillary(*WORDS, "output=run").code == 0
    kept = min(ended // 3 * 3, 8)
    assert small_pieces == ([kept, *range(kept, 8)] if kept < 8 else [])
    assert armillary(*WORDS[:-1], "out=whole.h5", "output=whole").code == 0
    assert (tmp_path / "data.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    names = {"data.h5", "run", "whole.h5", "whole"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_pieces_of_other_settings_are_not_taken(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_pieces: list[int]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(collect, "join", interrupted)
        assert armillary(*WORDS, "output=run").code == 130
    small_pieces.clear()
    assert armillary(*WORDS, "output=other", "seed=1").code == 0
    assert small_pieces == [0, *range(8)]
    assert {path.name for path in tmp_path.iterdir()} == {"data.h5", "run", "other"}


def test_the_same_collection_is_finished_already(
    armillary: Command, tmp_path: Path, small_pieces: list[int]
) -> None:
    assert armillary(*WORDS, "output=run").code == 0
    before = (tmp_path / "data.h5").stat()
    small_pieces.clear()
    again = armillary(*WORDS, "output=again")
    assert again.code == 0
    assert "finished already: data.h5" in again.err
    assert (small_pieces, (tmp_path / "data.h5").stat().st_ino) == ([], before.st_ino)


def test_noisy_task_collects(armillary: Command, tmp_path: Path) -> None:
    words = ["task=push_blocks_noisy", "episodes=3", "length=3", "workers=0", "out=x/y.h5"]
    assert armillary("collect", *words, "output=run").code == 0
    with h5py.File(tmp_path / "x" / "y.h5") as file:
        assert file.attrs["environment"] == b"armillary/PushBlocksNoisy-v0"


@pytest.mark.parametrize(
    ("task", "length", "action_size"),
    [
        ("moving_sprites", 10, 0),
        ("moving_sprites_pretraining", 3, 0),
        ("moving_sprites_actions", 10, 4),
    ],
)
@pytest.mark.parametrize("image_size", [32, 64])
def test_moving_sprites_collect(
    armillary: Command, tmp_path: Path, task: str, length: int, action_size: int, image_size: int
) -> None:
    words = [f"task={task}", "episodes=3", f"image_size={image_size}", "workers=0", "out=f.h5"]
    assert armillary("collect", *words, "output=run").code == 0
    file = EpisodeFile(tmp_path / "f.h5")
    assert (file.image_size, file.action_size) == (image_size, action_size)
    assert file.attributes["environment_image_size"] == image_size
    assert file.attributes["environment_noise"] == (0.035 if length == 3 else 0.05)
    split = file.split("train")
    assert split.length == length
    assert split.has_masks
    frames = split.frames(0).astype(float)
    assert all(np.abs(after - before).max() > 20 for before, after in pairwise(frames))
    words = file.attributes["command"].split()[1:]
    assert armillary(*words, "out=again.h5", "output=again", "workers=0").code == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "f.h5").read_bytes()


def test_what_was_said_of_the_task_is_part_of_the_command(
    armillary: Command, tmp_path: Path
) -> None:
    said = ["task.policies.mixed.stack=0.1", "task.environment.num_blocks=2"]
    usual = "task.environment.camera=near"
    words = ["task=stack_blocks", "episodes=3", *said, usual, "workers=0"]
    assert armillary("collect", *words, "out=f.h5", "output=run").code == 0
    command = EpisodeFile(tmp_path / "f.h5").attributes["command"]
    assert command.endswith(" ".join(sorted(said)))
    again = [*command.split()[1:], "out=again.h5", "output=again", "workers=0"]
    assert armillary(*again).code == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "f.h5").read_bytes()


def test_a_wrong_length_is_explained(armillary: Command) -> None:
    for length in ("1", "long", "2.5"):
        told = armillary("collect", f"length={length}", "out=f.h5", "output=run")
        assert told.code == 2
        assert "length must be a whole number" in told.err


def test_splits_are_disjoint_and_none_is_empty() -> None:
    assert split_names(20, 0.1, 0.1) == ["train"] * 16 + ["val"] * 2 + ["test"] * 2
    assert split_names(3, 0.0, 0.0) == ["train", "val", "test"]
    for wrong in [(2, 0.1, 0.1), (10, 0.6, 0.5), (10, -0.1, 0.1)]:
        with pytest.raises(UsageError, match="every split needs one"):
            split_names(*wrong)


BARE = """
import gymnasium
import numpy as np
from gymnasium import spaces

MADE = []


class Bare(gymnasium.Env):
    observation_space = spaces.Dict({"image": spaces.Box(0, 255, (32, 32, 3), np.uint8)})
    action_space = SPACE

    def __init__(self):
        MADE.append(self)

    def observe(self):
        image = np.zeros((32, 32, 3), np.uint8)
        image[self.x : self.x + 6, 8:16] = 200
        return {"image": image}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = int(self.np_random.integers(20))
        return self.observe(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.x = (self.x + 1) % 26
        return self.observe(), 0.0, False, False, {}


gymnasium.register("pack/Bare-v0", Bare)
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugins_apart: None) -> str:
    """A plug-in whose environment shows an image and has nothing else, and its task's YAML."""
    name = f"pack_bare_{tmp_path.name[-8:].replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(
        BARE.replace("SPACE", "spaces.Box(-1.0, 1.0, (2,), np.float32)"), "utf-8"
    )
    (tmp_path / "bare.yaml").write_text("name: bare\nenvironment: {id: pack/Bare-v0}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_an_environment_needs_no_more_than_an_image(
    armillary: Command, tmp_path: Path, bare: str
) -> None:
    words = [f"plugins=[{bare}]", "task=bare.yaml", "episodes=4", "length=5", "workers=0"]
    done = armillary("collect", *words, "out=f.h5", "output=run")
    assert done.code == 0, done.err
    split = EpisodeFile(tmp_path / "f.h5").split("train")
    assert (split.length, split.info.action_size, split.has_masks) == (5, 2, False)
    assert not split.info.extras
    assert np.ptp(split.actions(0)) > 0.5
    assert len(sys.modules[bare].MADE) == 1, "one environment for all episodes"


def test_a_model_can_be_trained_on_episodes_without_masks(
    armillary: Command, tmp_path: Path, bare: str
) -> None:
    words = [f"plugins=[{bare}]", "task=bare.yaml", "episodes=4", "length=14", "workers=0"]
    assert armillary("collect", *words, "out=f.h5", "output=run").code == 0
    small = ["trainer.max_steps=2", "trainer.batch_size=2", "trainer.validation_clips=1"]
    done = armillary("train", "data.path=f.h5", *small, "output=model")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("yaml", "words", "told"),
    [
        ("environment: {id: pack/Bare-v0}\npolicies: {go: POLICY}", ["policy=go"], "'snapshot'"),
        ("environment: {id: nowhere_at_all:Bare-v0}", [], "nowhere_at_all"),
        ("length: 4", [], "must have 'environment.id'"),
        ("environment: {id: pack/Bare-v0}\npolicies: {go: MISSING}", ["policy=go"], "no_module"),
        ("environment: {id: pack/Bare-v0}", ["policy=clever"], "unknown policy 'clever'"),
    ],
)
def test_what_a_task_lacks_is_told_in_a_line(
    armillary: Command, tmp_path: Path, bare: str, yaml: str, words: list[str], told: str
) -> None:
    policy = "{_target_: armillary.envs.push_blocks.policies.PushPolicy}"
    yaml = yaml.replace("POLICY", policy).replace("MISSING", "{_target_: no_module.Policy}")
    (tmp_path / "lacks.yaml").write_text(f"name: lacks\n{yaml}\n", "utf-8")
    words = [f"plugins=[{bare}]", "task=lacks.yaml", "episodes=3", "workers=0", *words]
    done = armillary("collect", *words, "out=f.h5", "output=run")
    assert done.code == 2
    assert told in done.err
    assert len(done.err.strip().splitlines()) <= 2
    assert not (tmp_path / "f.h5").exists()
