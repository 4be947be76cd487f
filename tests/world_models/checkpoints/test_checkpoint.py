"""Checkpoints: complete, atomic, found by path or name, and refused with a reason."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from armillary.world_models.checkpoints import locate
from armillary.world_models.checkpoints.checkpoint import (
    load_model,
    load_state,
    read_info,
    save_checkpoint,
)
from armillary.world_models.checkpoints.locate import (
    CheckpointError,
    bundled_checkpoints,
    find_checkpoint,
)
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model, register_model
from tests.world_models import toy
from tests.world_models.checkpoints.edits import edit_config, replace_weights


@pytest.fixture
def model() -> WorldModel:
    torch.manual_seed(0)
    model = build_model(toy.NAME, slot_size=4)
    model.set_action_statistics(torch.tensor([0.1, -0.2]), torch.tensor([0.3, 0.4]))
    return model


def test_everything_comes_back(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(
        tmp_path / "one",
        model,
        step=7,
        metrics={"open_loop_psnr": 21.5, "copy_psnr": float("inf")},
        training={"seed": 3},
        data={"task": "push_blocks"},
        state={"tensor": torch.arange(3), "nested": {"list": [1, 2.5, None]}},
    )
    loaded = load_model(path)
    assert {k: v.tolist() for k, v in loaded.state_dict().items()} == {
        k: v.tolist() for k, v in model.state_dict().items()
    }
    assert loaded.action_std.tolist() == pytest.approx([0.3, 0.4])
    assert not loaded.training
    info = read_info(path)
    assert (info.step, info.metrics) == (7, {"open_loop_psnr": 21.5})
    assert (info.training, info.data) == ({"seed": 3}, {"task": "push_blocks"})
    assert info.versions["torch"] == str(torch.__version__)
    state = load_state(info)
    assert state["tensor"].tolist() == [0, 1, 2]
    assert state["nested"] == {"list": [1, 2.5, None]}


def test_loading_leaves_the_global_generator_alone(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", model, step=0)
    before = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), before)


class Killed(BaseException):
    """Stands for the end of the process: no handler of the code under test may catch it."""


def test_a_kill_at_any_time_leaves_the_former_or_the_new(
    model: WorldModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    calls = {"left": 0}

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if calls["left"] == 0:
                raise Killed
            calls["left"] -= 1
            return function(*args, **kwargs)

        return call

    save_checkpoint(run / "last", model, step=0)
    seen = set()
    finished, moment = False, -1
    while not finished:
        moment += 1
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", guarded(os.fsync))
            patch.setattr(Path, "rename", guarded(Path.rename))
            patch.setattr(Path, "mkdir", guarded(Path.mkdir))
            patch.setattr(shutil, "rmtree", guarded(shutil.rmtree))
            calls["left"] = moment
            try:
                save_checkpoint(run / "last", model, step=moment + 1)
                finished = True
            except Killed:
                pass
        step = read_info(run).step
        load_model(run)
        seen.add(step == moment + 1)
        # The next save starts from what the kill left.
        save_checkpoint(run / "last", model, step=0)
        assert read_info(run).step == 0
    assert moment > 8
    assert seen == {True, False}
    assert sorted(path.name for path in run.iterdir()) == ["last"]


def test_a_run_resolves_to_best_then_last(model: WorldModel, tmp_path: Path) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    save_checkpoint(checkpoints / "last", model, step=2)
    assert find_checkpoint(tmp_path / "run") == checkpoints / "last"
    save_checkpoint(checkpoints / "best", model, step=1)
    for source in (tmp_path / "run", checkpoints, checkpoints / "best"):
        assert find_checkpoint(source) == checkpoints / "best"
    assert find_checkpoint(str(checkpoints / "last")) == checkpoints / "last"


def test_bundled_names(model: WorldModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "BUNDLED_ROOT", tmp_path / "pretrained")
    save_checkpoint(tmp_path / "pretrained" / "push_blocks", model, step=5)
    assert bundled_checkpoints() == ("pretrained/push_blocks",)
    assert read_info("pretrained/push_blocks").step == 5
    with pytest.raises(CheckpointError, match="did you mean 'pretrained/push_blocks'"):
        load_model("pretrained/push_block")


def test_missing_checkpoints_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere' is not a directory"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="empty' is a directory without a checkpoint"):
        load_model(tmp_path / "empty")


@pytest.mark.parametrize("name", ["model.safetensors", "training.pt", "config.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_damage_is_refused(model: WorldModel, tmp_path: Path, name: str, damage: str) -> None:
    path = save_checkpoint(tmp_path / "one", model, step=0, state={"values": torch.ones(99)})
    payload = (path / name).read_bytes()
    middle = len(payload) // 2
    if damage == "missing":
        (path / name).unlink()
    elif damage == "truncated":
        (path / name).write_bytes(payload[:middle])
    else:
        flipped = bytes([payload[middle] ^ 255])
        (path / name).write_bytes(payload[:middle] + flipped + payload[middle + 1 :])

    def load_everything() -> None:
        load_state(read_info(path))
        load_model(path)

    with pytest.raises(CheckpointError, match=name):
        load_everything()


def test_code_in_the_state_is_not_run(model: WorldModel, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    path = save_checkpoint(tmp_path / "one", model, step=0, state={})
    payload = pickle.dumps(Payload(), protocol=2)
    (path / "training.pt").write_bytes(payload)
    digest = sha256(payload).hexdigest()
    edit_config(path, lambda config: config["digests"].update({"training.pt": digest}))
    with pytest.raises(CheckpointError, match=r"holds posix\.mkdir, and only"):
        load_state(read_info(path))
    assert not (tmp_path / "owned").exists()


def test_other_format_versions_are_refused(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", model, step=0)
    edit_config(path, lambda config: config.update(format_version=99))
    with pytest.raises(
        CheckpointError, match=r"version 99.*reads 'armillary-checkpoint' version 1"
    ):
        load_model(path)


def test_unknown_models_and_hyperparameters_are_refused(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", model, step=0)
    edit_config(path, lambda config: config["model"].update(name="toyy"))
    with pytest.raises(CheckpointError, match=r"'toyy'.*did you mean 'toy'"):
        load_model(path)
    edit_config(path, lambda config: config["model"].update(name="toy", hyperparameters={"a": 1}))
    with pytest.raises(CheckpointError, match=r"unknown hyperparameter 'a'"):
        load_model(path)


def test_weights_that_do_not_fit_are_named(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", model, step=0)
    weights = dict(model.state_dict())
    replace_weights(path, {**weights, "gate": torch.zeros(2), "stranger": torch.zeros(1)})
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert "'gate': the model wants (), the file holds (2,)" in str(caught.value)
    assert "'stranger': the model wants nothing, the file holds (1,)" in str(caught.value)
    edit_config(path, lambda config: config["model"]["hyperparameters"].update(slot_size=5))
    replace_weights(path, weights)
    with pytest.raises(CheckpointError, match=r"decoder.0.weight.*\(8, 7\).*\(8, 6\).*more"):
        load_model(path)


def test_weights_alone_cannot_be_resumed(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "best", model, step=0)
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        load_state(read_info(path))


def test_unknown_devices_are_refused(model: WorldModel, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", model, step=0)
    with pytest.raises(ValueError, match=r"'gpu'.*auto, cpu, cuda, mps"):
        load_model(path, "gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no device 'cuda'"):
            load_model(path, "cuda")


@pytest.mark.parametrize("name", ["slot_dynamics", "sdvae", "op3", "ssm"])
def test_models_whose_weights_are_shared_take_another_number_of_slots(
    name: str, tmp_path: Path
) -> None:
    sizes = {"image_size": 32, "action_size": 2, "num_slots": 4}
    small = {} if name == "slot_dynamics" else {"latent_size": 8, "conv_channels": 4}
    path = save_checkpoint(tmp_path / "one", build_model(name, **sizes, **small), step=0)
    model = load_model(path, num_slots=6)
    assert model.num_slots == 6
    state = model.encode(torch.rand(1, 2, 3, 32, 32), torch.zeros(1, 1, 2))
    noise = torch.randn(1, *model.noise_shape)
    assert model.slots(model.step(state, torch.zeros(1, 2), noise)).shape[1] == 6
    weights = load_model(path).state_dict()
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())


def test_more_slots_see_more_of_the_bundled_checkpoint() -> None:
    assert load_model("pretrained/push_blocks").num_slots == 5
    assert load_model("pretrained/push_blocks", num_slots=6).num_slots == 6


def test_a_number_of_slots_that_a_model_cannot_have_is_refused(tmp_path: Path) -> None:
    vrnn = build_model("vrnn", image_size=64, action_size=2)
    path = save_checkpoint(tmp_path / "vrnn", vrnn, step=0)
    with pytest.raises(ValueError, match=r"num_slots=3: the model 'vrnn' .* always has 1"):
        load_model(path, num_slots=3)
    with pytest.raises(ValueError, match="must count the background and an object, got 1"):
        load_model("pretrained/push_blocks", num_slots=1)
    assert load_model("pretrained/push_blocks", num_slots=np.int64(6)).num_slots == 6
    for count in (0, 2.5, "5", True):
        with pytest.raises(ValueError, match="num_slots must be a whole number of at least 1"):
            load_model("pretrained/push_blocks", num_slots=count)


@register_model("toy_with_own_starts")
class OwnStarts(toy.ToyModel):
    """Learns where each of its slots begins."""

    def __init__(self, *, num_slots: int = 2) -> None:
        super().__init__()
        self.starts = torch.nn.Parameter(torch.zeros(num_slots, 3))


def test_weights_of_each_slot_fit_their_own_number_alone(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "one", build_model("toy_with_own_starts"), step=0)
    with pytest.raises(ValueError, match=r"num_slots=3: the weights .* are made for 2 slots"):
        load_model(path, num_slots=3)


def test_what_was_saved_formerly_is_left_out(tmp_path: Path) -> None:
    built = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=3)
    path = save_checkpoint(tmp_path / "one", built, step=0)
    old = {"corrector.extent": torch.ones(3, 1), "decoder.extent": torch.ones(3, 1)}
    replace_weights(path, {**built.state_dict(), **old})
    assert torch.equal(load_model(path).get_buffer("decoder.extent")[1], torch.tensor([0.2]))
