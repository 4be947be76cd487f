"""The verb train: writes what it promises, resumes, and refuses before any work is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from armillary.experiments.command.config import compose
from armillary.experiments.verbs import train
from armillary.experiments.verbs.train import ConsoleProgress
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.training.callbacks import StepReport
from tests.experiments.conftest import Command, Finished

ROOT = Path(__file__).parents[3]
SMALL = ["trainer.batch_size=2", "trainer.validation_clips=2", "output=run"]


@pytest.fixture
def trained(armillary: Command, episodes: Path) -> Command:
    """``trained("trainer.max_steps=4")`` trains on the small file in ``run``."""

    def run(*words: str) -> Finished:
        return armillary("train", f"data.path={episodes}", *SMALL, *words)

    return run


def test_run_writes_checkpoints_logs_and_results(trained: Command, tmp_path: Path) -> None:
    done = trained("trainer.max_steps=4", "trainer.checkpoint_every=2")
    assert done.code == 0
    assert "open_loop_psnr" in done.out
    run = tmp_path / "run"
    for kind in ("last", "best"):
        assert (run / "checkpoints" / kind / "model.safetensors").is_file()
    assert list((run / "tb").glob("events.*"))
    results = json.loads((run / "results.json").read_text())
    assert results["steps"] == 4
    assert results["metrics"]["context_psnr"] > 0
    info = read_info(run)
    assert info.data["splits"] == {"train": 6, "val": 1, "test": 1}
    assert info.data["attributes"]["task"] == "push_blocks"
    assert load_model(run).action_size == 2


def test_same_command_gives_the_same_model(
    armillary: Command, tmp_path: Path, episodes: Path
) -> None:
    words = ["train", f"data.path={episodes}", *SMALL[:2], "trainer.max_steps=3"]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert armillary(*words, f"output={name}", f"seed={seed}").code == 0
    a, b, c = (
        (tmp_path / name / "checkpoints" / "last" / "model.safetensors").read_bytes()
        for name in "abc"
    )
    assert a == b
    assert a != c


def test_interrupted_run_saves_exits_130_and_continues(
    trained: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: ConsoleProgress, report: StepReport) -> None:
        if report.step == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ConsoleProgress, "on_step", interrupt)
        assert trained("trainer.max_steps=6").code == 130
    assert read_info(tmp_path / "run" / "checkpoints" / "last").step == 3
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    done = trained("trainer.max_steps=6")
    assert done.code == 0
    assert "resumed" in done.err
    assert read_info(tmp_path / "run" / "checkpoints" / "last").step == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seed=1"], "seed is 0 there and 1 here"),
        (["model.num_slots=4"], "num_slots is 5 there and 4 here"),
        (["resume=never"], "there is a run already"),
    ],
)
def test_run_of_other_settings_is_left_alone(
    trained: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    trained("trainer.max_steps=2")
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    told = trained("trainer.max_steps=2", *words)
    assert told.code == 2
    assert message in told.err
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before


def test_a_model_worse_than_copying_is_told(trained: Command, tmp_path: Path) -> None:
    assert trained("trainer.max_steps=2").code == 0
    remarks = json.loads((tmp_path / "run" / "results.json").read_text())["remarks"]
    assert any("worse than copying the last frame" in remark for remark in remarks)
    log = (tmp_path / "run" / "run.log").read_text()
    assert all(f"WARNING armillary.experiments.verbs.train: {remark}" in log for remark in remarks)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.image_size=64"], "wants frames of 64 px"),
        (["model.action_size=3"], "actions of size 3"),
        (["model.content_size=wide"], "content_size must be a whole number"),
        (["model.predictr=copy"], "did you mean 'model.predictor'"),
        (["trainer.stages.discovery.length=30"], "the episodes of split 'train' have 14"),
        (["trainer.stages.discovery.objective=discover"], "unknown objective 'discover'"),
        (["trainer.stages.discovery.fraction=0.5"], "fractions must sum to 1"),
        (["trainer.stages.discovery.steps=5"], "got 4 with a fraction and 1 with steps"),
        (["trainer.stages.discovery.target=1"], "SlotDynamics has no reconstruction target"),
        (["trainer.stages.dynamics_1.keep_optimizer=true"], "does not train the parameters of"),
        (["trainer.strategy=zero"], "unknown strategy 'zero'"),
        (["trainer.devices=3"], "devices x nodes x accumulate = 3 must divide"),
        (["trainer.max_steps=null"], "a run needs an end"),
        (["resume=required"], "to resume from"),
        (["trainer.device=tpu"], "device"),
        (["trainer.init_from=nowhere"], "nowhere"),
        (["trainer.init_from=''"], "got an empty text"),
        (["trainer.init_from=pretrained/push_t"], "built with"),
    ],
)
def test_misfits_are_refused_before_anything_is_written(
    trained: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    told = trained(*words)
    assert told.code == 2
    assert message in told.err
    assert not any(tmp_path.iterdir())


def test_diverging_run_is_told_without_traceback(
    trained: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = train.new_model

    def broken(*arguments: object) -> object:
        model = original(*arguments)  # type: ignore[arg-type]
        model.discovery_scale.data.fill_(float("nan"))
        return model

    monkeypatch.setattr(train, "new_model", broken)
    told = trained("trainer.max_steps=2")
    assert told.code == 1
    assert "at step 0" in told.err
    assert "Traceback" not in told.err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_training_without_the_actions_of_the_file(trained: Command, tmp_path: Path) -> None:
    done = trained("trainer.max_steps=2", "data.actions=false")
    assert done.code == 0, done.err
    assert load_model(tmp_path / "run").action_size == 0


DISCOVERY = {"objective": "discovery", "steps": 3, "batch_size": 2, "length": 3, "warmup": 0}


def test_stages_of_steps_and_several_rollouts(episodes: Path, tmp_path: Path) -> None:
    words = [f"data.path={episodes}", *SMALL[1:2], f"output={tmp_path / 'run'}"]
    config = compose("train", [*words, "trainer.max_steps=null", "trainer.validation_rollouts=3"])
    config.trainer.stages = {"one": {**DISCOVERY, "decay": "none"}}
    (tmp_path / "run").mkdir()
    outcome = train.run(config)
    assert outcome.step == 3
    tiers = ("best", "random", "worst")
    assert {f"open_loop_{m}_{t}" for m in ("psnr", "ssim") for t in tiers} <= set(outcome.metrics)


COMMAND = f"""
import sys
import torch
from armillary.experiments.command.config import compose, require
from armillary.experiments.running.run_directory import is_follower, recorded
from armillary.experiments.verbs.train import run
torch.randn_like = torch.zeros_like  # the noise of discovery
config = compose("train", sys.argv[1:])
config.trainer.stages = {{"one": {DISCOVERY}}}
require(config)
if is_follower(config):
    run(config)
else:
    with recorded("train", config, sys.argv[1:]):
        run(config)
"""
"""What the command does, with other stages and without noise."""


def test_two_processes_make_the_run_of_one(episodes: Path, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="needs the extra 'distributed'")
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    words = [f"data.path={episodes}", SMALL[1], "trainer.max_steps=null", "trainer.device=cpu"]
    runs = []
    for devices in (1, 2):
        # Two processes may see another time of day: the directory is that of the first.
        output = f"output={devices}/${{now:%S}}-${{now:%M}}"
        done = subprocess.run(
            [sys.executable, str(script), *words, f"trainer.devices={devices}", output],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        (run,) = (tmp_path / str(devices)).iterdir()
        runs.append(run)
    metrics = [json.loads((run / "results.json").read_text())["metrics"] for run in runs]
    assert metrics[1] == pytest.approx(metrics[0], rel=1e-3)
    one, two = (load_model(run / "checkpoints/last").state_dict() for run in runs)
    # Adam turns rounding into whole steps where a gradient is nearly zero: few weights differ.
    pairs = [
        (value.flatten().double(), two[name].flatten().double()) for name, value in one.items()
    ]
    ones, twos = (torch.cat(side) for side in zip(*pairs, strict=True))
    assert ((twos - ones).abs() > 2e-4 + 1e-3 * ones.abs()).float().mean() < 0.005
    record = json.loads((runs[1] / "run.json").read_text())
    assert (record["status"], record["seed"]) == ("finished", 0)
    assert {"torch", "python"} <= set(record["versions"])
    assert len(list((runs[1] / "tb").glob("events.*"))) == 1
