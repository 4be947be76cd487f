"""Checkpoints that were damaged or made up are refused in a line, before they take memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from armillary.errors import ArmillaryError
from armillary.world_models.checkpoints import pickled
from armillary.world_models.checkpoints.checkpoint import load_model, read_info, save_checkpoint
from armillary.world_models.checkpoints.locate import CheckpointError, find_checkpoint
from armillary.world_models.checkpoints.weights import check_finite
from armillary.world_models.registry import build_model, register_model
from tests.world_models import toy
from tests.world_models.checkpoints.edits import edit_config, replace_weights

SIZES = {"image_size": 32, "action_size": 2, "num_slots": 3, "content_size": 4}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "one", build_model("slot_dynamics", **SIZES), step=1)


@pytest.mark.parametrize("size", [10**7, 10**30])
def test_a_model_larger_than_its_weights_is_never_built(checkpoint: Path, size: int) -> None:
    edit_config(checkpoint, lambda config: _hyper(config, content_size=size))
    with pytest.raises(CheckpointError, match=r"do not fit|cannot rebuild"):
        load_model(checkpoint)


@pytest.mark.parametrize("name", ["dynamics_layers", "num_slots"])
def test_a_model_of_endless_parts_is_given_up(checkpoint: Path, name: str) -> None:
    edit_config(checkpoint, lambda config: _hyper(config, **{name: 10**9}))
    with pytest.raises(CheckpointError, match=r"far more tensors|num_slots"):
        load_model(checkpoint)


@pytest.mark.parametrize(
    "wrong", [{"patch": 1}, {"content_size": "x"}, {"patch": None}, {"encoder_channels": -1}]
)
def test_values_that_no_class_can_take_are_the_files_mistake(
    checkpoint: Path, wrong: dict[str, Any]
) -> None:
    edit_config(checkpoint, lambda config: _hyper(config, **wrong))
    with pytest.raises(CheckpointError, match="cannot rebuild the model"):
        load_model(checkpoint)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_named(checkpoint: Path, value: float) -> None:
    weights = dict(load_model(checkpoint).state_dict())
    weights["decoder.net.0.bias"] = weights["decoder.net.0.bias"].clone()
    weights["decoder.net.0.bias"][0] = value
    replace_weights(checkpoint, weights)
    with pytest.raises(CheckpointError, match=r"NaN or infinite .*decoder\.net\.0\.bias"):
        load_model(checkpoint)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(model=[]),
        lambda config: config["model"].pop("name"),
        lambda config: config["model"].update(name=["a"]),
        lambda config: config["model"].update(hyperparameters=3),
        lambda config: config.update(step="1"),
        lambda config: config.update(digests=None),
        lambda config: config.update(training={"stages": [3]}),
        lambda config: config.update(training={"stages": [{"stride": 1e999}]}),
        lambda config: config.update(training={"stages": [{"stride": 0}]}),
        lambda config: config.update(data={"attributes": []}),
        lambda config: config.update(data={"attributes": {"environment_frameskip": "x"}}),
        lambda config: config.update(format=[{}]),
    ],
)
def test_entries_of_another_kind_are_refused(
    checkpoint: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit_config(checkpoint, change)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_info(checkpoint)


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b"1" * 5000]
)
def test_what_is_no_description_is_refused(checkpoint: Path, content: bytes) -> None:
    (checkpoint / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_info(checkpoint)


def test_a_changed_description_is_noticed(checkpoint: Path) -> None:
    file = checkpoint / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config))  # laid out otherwise
    load_model(checkpoint)
    config["model"]["hyperparameters"]["object_extent"] = 0.3
    file.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="damaged or was edited"):
        load_model(checkpoint)


def test_checkpoints_of_before_that_was_kept_load(checkpoint: Path) -> None:
    edit_config(checkpoint, lambda config: None)
    assert load_model(checkpoint).num_slots == 3
    assert load_model(find_checkpoint("pretrained/push_blocks")).num_slots == 5


@register_model("counting_toy")
class CountingToy(toy.ToyModel):
    """Reads its own weights while it is made, which tensors without memory do not allow."""

    def __init__(self, *, slot_size: int = 3) -> None:
        super().__init__(slot_size=slot_size)
        self.total = float(self.encoder.weight.detach().sum())


def test_a_model_of_a_plugin_may_read_its_own_weights(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "toy", build_model("counting_toy"), step=1)
    assert load_model(path).slot_size == 3


def _hyper(config: dict[str, Any], **values: Any) -> None:
    config["model"]["hyperparameters"].update(values)


@register_model("endless_toy")
class EndlessToy(toy.ToyModel):
    """Of a plug-in, with weights that its shapes alone describe."""


def test_a_model_of_a_plugin_is_not_built_at_any_size(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", build_model("endless_toy", image_size=8), step=1)
    edit_config(path, lambda config: _hyper(config, slot_size=3 * 10**9))
    with pytest.raises(CheckpointError) as told:
        load_model(path)
    assert "memory" not in str(told.value)


def test_a_context_of_any_length_is_refused(tmp_path: Path) -> None:
    sizes = {"image_size": 8, "action_size": 2, "num_slots": 2, "lstm_hidden": 2}
    model = build_model("sdvae", **sizes, conv_channels=2)
    path = save_checkpoint(tmp_path / "one", model, step=1)
    edit_config(path, lambda config: _hyper(config, context_length=10**9))
    with pytest.raises(CheckpointError, match="context_length must be at most 1024"):
        load_model(path)


def test_numbers_of_eight_bits_are_looked_at() -> None:
    weights = {"a": torch.ones(2).to(torch.float8_e4m3fn)}
    check_finite(weights, "file")
    weights["b"] = torch.tensor([1.0, torch.nan]).to(torch.float8_e4m3fn)
    with pytest.raises(CheckpointError, match="NaN or infinite numbers in 1 of 2 tensors: b"):
        check_finite(weights, "file")


@pytest.mark.parametrize("alignment", ["0", "-8", "x", ""])
def test_tensors_that_lie_at_multiples_of_nothing_are_refused(
    tmp_path: Path, alignment: str
) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as whole,
        zipfile.ZipFile(tmp_path / "b.pt", "w") as new,
    ):
        for entry in whole.infolist():
            if not entry.filename.endswith(".storage_alignment"):  # torch 2.6 writes none
                new.writestr(entry.filename, whole.read(entry))
        new.writestr("a/.storage_alignment", alignment)
    assert pickled.load(tmp_path / "a.pt")["a"].tolist() == [1, 1]
    with pytest.raises(ArmillaryError, match=r"b\.pt: is no file of torch\.save, or is damaged"):
        pickled.load(tmp_path / "b.pt")
