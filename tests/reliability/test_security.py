"""What docs/security.md promises is held by tests that there are, the last ones of them here."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from armillary.experiments.cli import main
from armillary.experiments.command.verbs import verbs

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
RECORD = {
    **{"verb": "plan", "command": "armillary plan", "commit": "0", "versions": {}, "seed": 0},
    **{"started": "2026-01-01T00:00:00+00:00", "ended": None, "status": "running"},
}
SMALL = ("trainer.max_steps=1", "trainer.batch_size=2", "trainer.validation_clips=1")


def test_every_promise_names_tests_that_there_are() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE.read_text("utf-8"))
    assert len(named) > 20
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not name or name in there, f"{path} has no {name}"


def test_the_page_speaks_of_every_verb() -> None:
    text = PAGE.read_text("utf-8")
    assert not [verb for verb in verbs() if f"`{verb}`" not in text]


def test_the_configuration_of_a_run_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "that is nobody's business")
    run = tmp_path / "run"
    run.mkdir()
    config = "planner: {_target_: os.mkdir, path: owned}\ntold: ${oc.env:SECRET}\nplugins: [owned]"
    (run / "config.yaml").write_text(config)
    (run / "run.json").write_text(json.dumps(RECORD))
    Path("owned.py").write_text("raise AssertionError('imported')")
    assert main(["report", "run", "output=page.html"]) == 0
    assert "nobody" not in Path("page.html").read_text("utf-8")
    (run / "plan.txt").write_text("work that is not to be lost")
    assert main(["plan", "checkpoint=pretrained/push_blocks", "output=run"]) == 2
    assert not Path("owned").exists()
    assert "owned" not in sys.modules


def test_what_data_say_of_their_making_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("episodes=4", "length=8", "workers=0", "val=0.25", "out=data.h5", "output=made")
    assert main(["collect", *words]) == 0
    evil = json.dumps({"_target_": "os.mkdir", "path": "owned"})
    with h5py.File("data.h5", "r+") as file:
        said = {"policy": evil, "environment": "owned:Id-v0", "name": evil, "plugins": "owned"}
        file.attrs.update({name: np.bytes_(text) for name, text in said.items()})
    assert main(["train", "data.path=data.h5", *SMALL, "output=run"]) == 0
    convert = ("source=towel_pick", "input=data.h5", "out=copy.h5", "workers=0")
    assert main(["convert", *convert, "output=copied"]) == 0
    assert not Path("owned").exists()


def test_the_working_directory_is_not_imported_from(tmp_path: Path) -> None:
    for name in ("yaml", "numpy", "torch", "planners", "owned", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('owned', 'w')")
    installed = f"import sys; sys.path.append({str(ROOT)!r}); "
    code = installed + "from armillary.experiments.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", code, "plan", "--cfg", "job", "checkpoint=x"]
    ended = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "owned").exists()


def test_a_network_that_the_user_names_is_a_program(tmp_path: Path) -> None:
    """Why it stands among what runs code."""

    class Network(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            print("it runs")
            return (x - y).square().mean((1, 2, 3))

    torch.jit.script(Network()).save(str(tmp_path / "network.pt"))
    code = (
        "import sys, torch; from armillary.experiments.evaluation.lpips import PerceptualDistance; "
        "PerceptualDistance(sys.argv[1], 8, torch.device('cpu'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "network.pt")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "it runs" in ended.stdout, ended.stderr
