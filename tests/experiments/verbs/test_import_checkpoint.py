"""Checkpoints of the authors' code become ours, and nothing else does."""

from __future__ import annotations

import argparse
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._utils import _rebuild_tensor_v2

from armillary.errors import ArmillaryError
from armillary.experiments.cli import main
from armillary.world_models.checkpoints.authors import import_model
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.checkpoints.locate import CheckpointError
from armillary.world_models.checkpoints.pickled import load
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


@pytest.mark.parametrize("prefix", ["", "module.module.", "_orig_mod.module."])
@pytest.mark.parametrize("holder", ["state_dict", "model_state_dict"])
def test_what_wrappers_add_is_left_out(prefix: str, holder: str) -> None:
    theirs = weights("op3_train_IIDD_before")
    named = {prefix + name.removeprefix("module."): tensor for name, tensor in theirs.items()}
    model = import_model({holder: named, "step": torch.tensor(3)}, num_slots=4)
    assert int(model.get_buffer("geco.steps")) == 3


@pytest.mark.parametrize("step", [math.inf, math.nan, -1, 10**30, torch.zeros(2)])
def test_a_step_that_is_no_count_is_refused(step: Any) -> None:
    with pytest.raises(CheckpointError, match="how many steps"):
        import_model({"model": weights("op3_train_IIDD_before"), "step": step})


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: tensor.flatten(),
        lambda tensor: tensor[:0],
        lambda tensor: tensor.to_sparse(),
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.new_full(tensor.shape, math.nan),
        lambda tensor: torch.zeros(()),
    ],
)
def test_strange_weights_are_refused(change: Callable[[Tensor], Tensor]) -> None:
    for stem in ("op3_train_IIDD_before", "v32_vrnn_train_before"):
        theirs = {name: change(t) if t.ndim else t for name, t in weights(stem).items()}
        with pytest.raises(CheckpointError):
            import_model({"model": theirs})


def test_one_weight_that_is_nan_is_named() -> None:
    theirs = weights("op3_train_IIDD_before")
    theirs["module.image_decoder.decode.0.weight"][0, 0] = math.nan
    with pytest.raises(CheckpointError, match=r"NaN .*1 of .*: decoder\.decode\.0\.weight"):
        import_model({"model": theirs})


@pytest.mark.parametrize("content", [{1: torch.zeros(2)}, {"model": {2: torch.zeros(1)}}, {}])
def test_names_that_are_no_texts_are_refused(content: Any) -> None:
    with pytest.raises(CheckpointError, match="by name"):
        import_model(content)


def test_other_objects_are_refused_with_a_way_out(tmp_path: Path, capsys) -> None:
    source = saved({"model": {}, "args": argparse.Namespace(lr=1)}, tmp_path / "authors.pth")
    assert main(["import-checkpoint", source, f"output={tmp_path / 'run'}"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "holds argparse.Namespace, and only tensors" in said
    assert "save its weights alone" in said
    assert "weights_only=False" in said
    assert "\x1b" not in said
    assert "PyTorch 2.6" not in said


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", ["grown", "expanded", "made", "bytes"])
def test_a_file_that_asks_for_more_than_it_holds_is_refused(
    kind: str, legacy: bool, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.pth"
    made = {
        "grown": Reduced(_rebuild_tensor_v2, _storage(), 0, (10**11,), (1,), False, {}),
        "expanded": torch.zeros(1).expand(10**6, 10**6),
        "made": Reduced(torch.Tensor, 10**6, 10**6),
        "bytes": Reduced(bytearray, 10**12),
    }
    torch.save({"model": {"a": made[kind]}}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ArmillaryError, match=r"bomb\.pth: (is refused|holds builtins)"):
        load(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.zeros(10**6)}}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    with pytest.raises(ArmillaryError, match="promise"):
        load(tmp_path / "bomb.pth")


class Reduced:
    """Is what a function makes when the file is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._made = (function, arguments)

    def __reduce__(self) -> Any:
        return self._made


def _storage() -> torch.TypedStorage:
    storage = torch.zeros(4).untyped_storage()
    return torch.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
