"""Checkpoints of the authors' code become ours, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from armillary.experiments.cli import main
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.registry import model_config
from tests.parity.test_parity import FIXTURES


def weights(stem: str) -> dict[str, Tensor]:
    """The recorded weights of a fixture, under the authors' names."""
    path = next(path for path in FIXTURES if path.stem == stem)
    with np.load(path) as arrays:
        return {
            f"module.{name.removeprefix('param/')}": torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith("param/")
        }


def saved(content: Any, path: Path) -> str:
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize(
    ("stem", "name", "size"),
    [
        ("op3_train_IIDD_before", "op3", 32),
        ("sdvae_train_IIDD_before", "sdvae", 32),
        ("ssm_train_IIUU_S4_before", "ssm", 32),
        ("v32_vrnn_train_before", "vrnn", 16),
    ],
)
def test_every_family_is_told_by_its_weights(
    stem: str, name: str, size: int, tmp_path: Path
) -> None:
    theirs = weights(stem)
    source = saved({"step": 5000, "model": theirs, "model_opt": {}}, tmp_path / "authors.pth")
    out = tmp_path / "run"
    assert main(["import-checkpoint", source, f"output={out}", "num_slots=4"]) == 0
    model = load_model(out)
    config = model_config(model)
    assert config["name"] == name
    assert config["hyperparameters"]["image_size"] == size
    assert config["hyperparameters"]["action_size"] == 4
    assert int(model.get_buffer("geco.steps")) == 5000
    decoded = {"vrnn": "module.dec.decode.0.weight"}.get(
        name, "module.image_decoder.decode.0.weight"
    )
    assert torch.equal(model.get_parameter("decoder.decode.0.weight"), theirs[decoded])
    window = torch.rand(1, 2, 3, size, size)
    with torch.no_grad():
        state = model.encode(window, torch.zeros(1, 1, 4))
        assert bool(torch.isfinite(model.decode(model.step(state, torch.zeros(1, 4))).frames).all())


def test_the_bare_state_dict_will_do(tmp_path: Path) -> None:
    source = saved(weights("op3_train_IIDD_before"), tmp_path / "authors.pth")
    assert main(["import-checkpoint", source, f"output={tmp_path / 'run'}"]) == 0


def test_another_model_is_refused_with_the_names_that_differ(tmp_path: Path, capsys) -> None:
    source = saved({"model": weights("op3_train_IIDD_before")}, tmp_path / "authors.pth")
    out = tmp_path / "run"
    assert main(["import-checkpoint", source, "name=sdvae", f"output={out}"]) == 2
    said = capsys.readouterr().err
    assert "look like 'op3'" in " ".join(said.split())
    assert "unknown: dynamics.hidden.weight" in " ".join(said.split())
    assert not out.exists()


class Harmful:
    """Runs code when it is unpickled the careless way."""

    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("kind", ["text", "code", "list", "other", "missing", "truncated"])
def test_anything_else_is_refused_and_leaves_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.pth"
    if kind == "text":
        path.write_text("step 10: loss 3\n")
    elif kind == "truncated":
        saved({"model": weights("op3_train_IIDD_before")}, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind != "missing":
        content = {"code": {"model": Harmful()}, "list": [1.0], "other": {"a": torch.zeros(2)}}
        saved(content[kind], path)
    assert main(["import-checkpoint", str(path), "output=run"]) == 2
    assert "file.pth" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "harmed").exists()
