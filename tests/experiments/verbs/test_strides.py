"""A model trained at a stride is evaluated, generated from, rendered and planned with at it."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.wrappers import Strided
from armillary.errors import ArmillaryError
from armillary.world_models.checkpoints.checkpoint import read_info, save_checkpoint
from armillary.world_models.data import EpisodeFile
from tests.envs.toys import Walk
from tests.experiments.conftest import LENGTH, Command
from tests.experiments.tiny import tiny_model

SMALL = ("planner=random_shooting", "planner.samples=4", "horizon=3", "replan_interval=1")
HALF = (LENGTH - 1) // 2 + 1


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    training = {"stages": [{"stride": 1}, {"stride": 2}]}
    folder = tmp_path_factory.mktemp("model") / "strided"
    return save_checkpoint(folder, tiny_model(), step=1, training=training)


def test_a_checkpoint_says_its_stride_and_frameskip(tmp_path: Path, checkpoint: Path) -> None:
    assert (read_info(checkpoint).stride, read_info(checkpoint).frameskip) == (2, 1)
    data = {"attributes": {"environment_frameskip": 3}}
    plain = save_checkpoint(tmp_path / "plain", tiny_model(), step=1, data=data)
    assert (read_info(plain).stride, read_info(plain).frameskip) == (1, 3)


def test_it_is_evaluated_at_its_stride(
    armillary: Command, tmp_path: Path, checkpoint: Path, episodes: Path
) -> None:
    words = ["evaluate", f"checkpoint={checkpoint}", f"data.path={episodes}", "rollouts=2"]
    done = armillary(*words, "output=run")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert found["horizon"] == HALF - 2
    assert found["identity"]["stride"] == 2
    told = armillary(*words, f"horizon={HALF}", "output=other")
    assert told.code == 2
    assert f"{HALF} frames at the model's stride 2" in told.err


def test_it_generates_at_its_stride(
    armillary: Command, tmp_path: Path, checkpoint: Path, episodes: Path
) -> None:
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", f"horizon={HALF - 2}"]
    done = armillary("generate", *words, "ground_truth=true", "output=v.h5")
    assert done.code == 0, done.err
    true = EpisodeFile(episodes).split("test").frames(0)[::2]
    with h5py.File(tmp_path / "v.h5") as file:
        clip = file["ground_truth"]
        assert isinstance(clip, h5py.Dataset)
        assert np.array_equal(clip[0][: len(true)], true)
    assert armillary("generate", *words[:2], f"horizon={HALF}", "output=w.h5").code == 2
    told = armillary("generate", *words, "stride=1", "output=w.h5")
    assert told.code == 2
    assert "trained at stride 2, got stride=1" in told.err
    real = ["checkpoint=ground_truth", *words[1:], "stride=2", "output=real.h5"]
    assert armillary("generate", *real).code == 0
    with h5py.File(tmp_path / "real.h5") as file:
        assert file.attrs["stride"] == 2


def test_it_is_rendered_and_planned_with_at_its_stride(
    armillary: Command, tmp_path: Path, checkpoint: Path, episodes: Path
) -> None:
    words = [f"checkpoint={checkpoint}", *SMALL, "task.max_steps=6"]
    done = armillary("render", *words, f"data.path={episodes}", "samples=1", "output=render")
    assert done.code == 0, done.err
    told = json.loads((tmp_path / "render" / "results.json").read_text())
    assert len(told["rollout"]["imagined_psnr"]) == HALF - 2
    assert told["plan"]["steps"] == 3
    done = armillary("plan", *words, "episodes=1", "output=plan")
    assert done.code == 0, done.err
    (played,) = json.loads((tmp_path / "plan" / "results.json").read_text())["episodes"]
    assert np.abs(played["actions"]).max() <= 2.0
    assert len(played["actions"]) == 3


def test_a_sum_of_actions_is_taken_in_equal_steps() -> None:
    plain, strided = PushBlocksEnv(), Strided(PushBlocksEnv(), 3)
    plain.reset(seed=0)
    strided.reset(seed=0)
    action = np.array([0.6, -1.5], np.float32)
    assert strided.action_space.contains(action)
    seen = [plain.step((action / 3).astype(np.float32))[0]["image"] for _ in range(3)]
    assert np.array_equal(strided.step(action)[0]["image"], seen[-1])
    with pytest.raises(ArmillaryError, match="choices have no sum"):
        Strided(Walk(spaces.Discrete(5)), 2)


def test_another_frameskip_is_refused(armillary: Command, tmp_path: Path, episodes: Path) -> None:
    data = {"attributes": {"environment_frameskip": 3}}
    skipping = save_checkpoint(tmp_path / "skipping", tiny_model(), step=1, data=data)
    words = [f"checkpoint={skipping}", f"data.path={episodes}"]
    for verb in ("evaluate", "generate", "render"):
        told = armillary(verb, *words, f"output={verb}")
        assert told.code == 2
        assert "trained on frameskip 3" in told.err
        assert "has frameskip 1" in told.err
    told = armillary("plan", f"checkpoint={skipping}", "output=plan")
    assert told.code == 2
    assert "set task.environment.frameskip=3" in told.err
