"""Two processes train as one does: same clips, same losses, same weights; they fail together."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from armillary.world_models.checkpoints.checkpoint import load_model, load_state, read_info
from armillary.world_models.data import EpisodeFile
from armillary.world_models.training import engine, ranks
from armillary.world_models.training.engine import Engine, FabricEngine, Share, make_engine
from armillary.world_models.training.ranks import follows
from armillary.world_models.training.trainer import Trainer
from tests.world_models.training.runs import JOINT, STAGED, config, fit, fresh
from tests.world_models.training.test_resume import resumable
from tests.world_models.training.together import ask

QUIET = {"noise_scale": 0.0}
START = replace(JOINT[0], fraction=None, steps=4, target=0.01)
GECO = (
    START,
    replace(START, steps=6, target=0.02, length=4, batch_size=4, keep_optimizer=True),
)
CASES = {
    "staged": ask("staged", STAGED, model_settings=QUIET, max_steps=10),
    "parts": ask("parts", JOINT, model_settings=QUIET, max_steps=6, accumulate=2),
    "geco": ask("geco", GECO, model="constrained_toy", model_settings=QUIET, max_steps=None),
    "partial": ask("partial", JOINT, model="partial_toy", max_steps=4),
}


def launch(folder: Path, episodes: EpisodeFile, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What every run told."""
    request = {"folder": str(folder), "data": str(episodes.path), "runs": runs}
    hidden = {*ranks.RANKS, "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    module = "tests.world_models.training.together"
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(request)],
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    names = [run["name"] for run in runs]
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


@pytest.fixture(scope="module")
def together(folder: Path, episodes: EpisodeFile) -> dict[str, Any]:
    """All runs of this file in two processes, started once."""
    pytest.importorskip("lightning_fabric", reason="needs the extra 'distributed'")
    noisy = {"max_steps": 12, "checkpoint_every": 5}
    runs = [
        *CASES.values(),
        ask("noisy_whole", STAGED, **noisy),
        ask("noisy_first", STAGED, directory="noisy_parts", stop_at=7, **noisy),
        ask("noisy_second", STAGED, directory="noisy_parts", **noisy),
        ask("nan", JOINT, model="one_sided_toy"),
        ask("raises", JOINT, model="one_sided_toy", model_settings={"raises": True}),
    ]
    for run in runs:
        run["changes"]["devices"] = 2
    return launch(folder, episodes, runs)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one(
    together: dict[str, Any], folder: Path, episodes: EpisodeFile, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    stages = {"staged": STAGED, "geco": GECO}.get(name, JOINT)
    model = fresh(case["model"], **case["model_settings"])
    settings = config(stages, **{**case["changes"], "devices": 1})
    _, alone = fit(episodes, settings, tmp_path, model)
    told = together[name]
    assert len(told["losses"]) == len(alone.steps)
    for losses, norm, report in zip(told["losses"], told["norms"], alone.steps, strict=True):
        assert losses == pytest.approx(report.losses, rel=1e-5)
        assert norm == pytest.approx(report.gradient_norm, rel=1e-4)
    theirs = load_model(folder / name / "checkpoints" / "last").state_dict()
    for key, value in model.state_dict().items():
        # Adam turns the rounding of a gradient that is 0 (a bias of both masks) into a small step.
        torch.testing.assert_close(theirs[key], value, rtol=1e-4, atol=5e-4)
    assert told["validations"] == [report.step for report in alone.validations]


def test_processes_draw_their_own_noise_and_resume_exactly(
    together: dict[str, Any], folder: Path
) -> None:
    assert together["noisy_first"]["step"] == 7
    parts = together["noisy_first"]["losses"] + together["noisy_second"]["losses"]
    assert parts == together["noisy_whole"]["losses"]
    assert resumable(folder / "noisy_parts") == resumable(folder / "noisy_whole")


@pytest.mark.parametrize(
    ("name", "message"),
    [("nan", "'spoiled' is nan at step 3"), ("raises", "the posterior is nan at step 3")],
)
def test_failure_of_one_process_stops_both_and_keeps_both_shares(
    together: dict[str, Any], folder: Path, name: str, message: str
) -> None:
    assert message in together[name]["error"]
    assert len(together[name]["losses"]) == 3
    kept = load_state(read_info(folder / name / "failure"))
    assert len(kept["others"]) == 1
    shares = [kept["batch"]["frames"], kept["others"][0]["batch"]["frames"]]
    assert [len(share) for share in shares] == [4, 4]
    assert not torch.equal(*shares)
    assert not torch.equal(kept["random"]["cpu"], kept["others"][0]["random"]["cpu"])


def test_shares_of_a_batch_are_disjoint_and_complete() -> None:
    rows = [list(range(12))[Share(rank, 3).rows(12)] for rank in range(3)]
    assert rows == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_single_process_needs_no_fabric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    monkeypatch.setenv("RANK", "1")  # of somebody else's job
    alone = make_engine("cpu", devices=1, nodes=1, strategy="auto")
    assert type(alone) is Engine
    assert alone.leads
    assert (alone.start(), alone.share) == (torch.device("cpu"), Share(0, 1))
    assert (alone.mean(math.pi), alone.gather("x"), alone.any(False)) == (math.pi, ["x"], False)
    with pytest.raises(ValueError, match=r"2 processes needs .* 'armillary\[distributed\]'"):
        make_engine("cpu", devices=2, nodes=1, strategy="auto")
    with pytest.raises(ValueError, match="4 processes"):
        make_engine("cpu", devices=2, nodes=2, strategy="ddp")


@pytest.mark.parametrize("name", ranks.RANKS)
def test_the_first_process_leads(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ranks.RANKS:
        monkeypatch.delenv(other, raising=False)
    assert not follows()
    monkeypatch.setenv(name, "0")
    assert not follows()
    monkeypatch.setenv(name, "1")
    assert follows()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": 0}, "devices must be at least 1"),
        ({"nodes": 0}, "nodes must be at least 1"),
        ({"devices": 3}, "devices x nodes x accumulate = 3 must divide every stage's batch_size"),
        ({"devices": 2, "nodes": 2, "accumulate": 4}, "accumulate = 16 .* got 8"),
        ({"devices": 2, "strategy": "fsdp"}, "unknown strategy 'fsdp'; .*auto, ddp"),
    ],
)
def test_impossible_processes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(JOINT, **changes)


def test_missing_devices_are_named(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without cuda")
    with pytest.raises(ValueError, match="this machine has no device 'cuda'"):
        Trainer(config(JOINT, devices=2, device="cuda"), tmp_path)
    assert issubclass(FabricEngine, Engine)


def test_a_process_leaves_its_group_before_it_ends(folder: Path) -> None:
    code = (
        "import sys, torch; from armillary.world_models.training.engine import leave; leave(); "
        "torch.distributed.init_process_group('gloo', init_method=sys.argv[1], rank=0, "
        "world_size=1); leave(); leave(); sys.exit(torch.distributed.is_initialized())"
    )
    place = (folder / "group").as_uri()
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code, place], cwd=root).returncode == 0
