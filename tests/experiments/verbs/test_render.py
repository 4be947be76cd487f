"""``armillary render`` writes GIFs, sheets and figures of a clip, or a clear error and nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from armillary.world_models.registry import build_model
from tests.experiments.conftest import LENGTH, Command
from tests.experiments.tiny import CONTEXT, tiny_model

QUICK = ("planner=random_shooting", "planner.samples=4", "horizon=3", "replan_interval=2")
SHORT = ("task.max_steps=3", "side=32")
NAMES = ("rollout", "slots", "plan")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tiny_model(), step=1)


def words(checkpoint: Path, episodes: Path, *more: str) -> list[str]:
    return ["render", f"checkpoint={checkpoint}", f"data.path={episodes}", *QUICK, *more]


def test_everything_is_written_and_small(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    done = armillary(*words(checkpoint, episodes, "output=out", "samples=1", "seed=2"))
    assert done.code == 0, done.err
    told = json.loads(Path("out/results.json").read_text())
    assert sorted(told["files"]) == sorted(f"{n}.{kind}" for n in NAMES for kind in ("gif", "png"))
    assert all(str(Path("out") / name) in done.out for name in told["files"])
    for name in NAMES:
        with Image.open(f"out/{name}.gif") as gif:
            frames = told["plan"]["steps"] + 1 if name == "plan" else LENGTH
            assert (gif.n_frames, gif.info["loop"]) == (frames, 0)
        assert Path(f"out/{name}.gif").stat().st_size < 2e6
        assert Image.open(f"out/{name}.png").width <= 1300
    assert len(told["rollout"]["imagined_psnr"]) == LENGTH - CONTEXT
    assert len(told["rollout"]["sample_psnr"]) == 1
    assert told["plan"]["seed"] == 2
    assert len(told["plan"]["distances"]) == told["plan"]["steps"] + 1


def test_the_same_command_draws_the_same_pictures_and_another_seed_other_ones(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    for output, seed in (("a", 0), ("b", 0), ("c", 1)):
        more = (f"output={output}", f"seed={seed}", "samples=1", "frames=2", *SHORT)
        assert armillary(*words(checkpoint, episodes, *more)).code == 0
    for name in NAMES:
        one, same, other = (Path(f"{o}/{name}.gif").read_bytes() for o in "abc")
        assert one == same
        assert (one == other) is (name == "slots"), "nothing random is in the slots"


def test_another_episode_shows_other_frames(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    psnrs = []
    for index in (0, 1):
        more = (f"output=e{index}", f"episode={index}", "split=train", "frames=2", "samples=0")
        done = armillary(*words(checkpoint, episodes, *more, *SHORT))
        assert done.code == 0, done.err
        psnrs.append(json.loads(Path(f"e{index}/results.json").read_text())["rollout"]["copy_psnr"])
    assert not np.allclose(*psnrs)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("episode=7", "episode must be in 0..0 for split 'test'"),
        ("episode=-1", "episode must be in 0..0"),
        ("frames=13", "frames must be in 1..12"),
        ("frames=0", "frames must be in 1..12"),
        ("split=tset", "did you mean 'test'?"),
        ("data.path=absent.h5", "there is no such file"),
        ("checkpoint=absent", "no checkpoint found"),
        ("samples=-1", "samples must be at least 0"),
        ("fps=0", "fps must be at least 0.1"),
        ("task.environment.image_size=64", "images of 32 px, task 'push_blocks' shows 64 px"),
        ("plan=maybe", "unknown plan 'maybe'; choose from always, auto, never"),
        ("replan_interval=9", "horizon must be at least replan_interval"),
    ],
)
def test_a_mistake_is_explained_and_leaves_no_trace(
    armillary: Command, checkpoint: Path, episodes: Path, word: str, message: str
) -> None:
    done = armillary(*words(checkpoint, episodes, "output=out"), word)
    assert done.code == 2
    assert message in done.err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"image_size": 64}, "image size 64"),
        ({"action_size": 3}, "action size 3"),
    ],
)
def test_a_model_of_other_data_is_refused(
    armillary: Command, tmp_path: Path, episodes: Path, sizes: dict[str, int], message: str
) -> None:
    other = save_checkpoint(tmp_path / "other", tiny_model(**sizes), step=1)
    done = armillary(*words(other, episodes, "output=out"))
    assert done.code == 2
    assert message in done.err
    assert str(episodes) in done.err
    assert not Path("out").exists()


def test_a_model_of_a_published_kind_and_data_without_a_task_are_rendered(
    armillary: Command, tmp_path: Path
) -> None:
    """Action-free sprites: everything but the plan."""
    sprites = tmp_path / "sprites.h5"
    recording = ["task=moving_sprites", "image_size=32", "episodes=3", "workers=0"]
    assert armillary("collect", *recording, f"out={sprites}", "output=record").code == 0
    sizes = {"num_slots": 2, "latent_size": 4, "conv_channels": 4, "lstm_hidden": 8}
    model = build_model("sdvae", image_size=32, action_size=0, **sizes)
    saved = save_checkpoint(tmp_path / "sdvae", model, step=1)
    done = armillary(
        "render", f"checkpoint={saved}", f"data.path={sprites}", "samples=1", "output=out"
    )
    assert done.code == 0, done.err
    told = json.loads(Path("out/results.json").read_text())
    assert sorted(told["files"]) == ["rollout.gif", "rollout.png", "slots.gif", "slots.png"]
    assert told["plan"] is None
    asked = armillary(
        "render", f"checkpoint={saved}", f"data.path={sprites}", "plan=always", "output=asked"
    )
    assert asked.code == 2
    assert "action" in asked.err
