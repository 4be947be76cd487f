"""What cannot work is refused before any work; what fails is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tests.world_models.training.models  # noqa: F401  registers
from armillary.world_models.checkpoints.checkpoint import load_model, load_state, read_info
from armillary.world_models.checkpoints.locate import CheckpointError
from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import Losses, Window
from armillary.world_models.registry import build_model, register_model
from armillary.world_models.state import LatentState
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.trainer import Trainer, TrainingError
from tests.world_models import toy
from tests.world_models.checkpoints.edits import edit_config
from tests.world_models.training.runs import JOINT, STAGED, config, fit, fresh


@register_model("failing_toy")
class FailingToy(toy.ToyModel):
    """Loses its mind at step 8."""

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        losses = super().loss(window, objective, step)
        spoiled = losses.total * (float("nan") if step == 8 else 1.0)
        return Losses(spoiled, {**losses.terms, "spoiled": spoiled.detach()})


@register_model("exploding_toy")
class ExplodingToy(toy.ToyModel):
    """A finite loss whose gradient is not."""

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        losses = super().loss(window, objective, step)
        return Losses(losses.total + (self.dynamics.bias * 0.0).abs().sqrt().sum(), losses.terms)


@register_model("large_toy")
class LargeToy(toy.ToyModel):
    """Too large for its device from step 8 on."""

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        if step == 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nand more")
        return super().loss(window, objective, step)


def test_a_step_that_does_not_fit_into_memory_says_what_would(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError) as caught:
        fit(episodes, config(JOINT), tmp_path, fresh("large_toy"))
    told = str(caught.value)
    assert "step 9: cpu has too little memory for 8 clips" in told
    assert "Tried to allocate 9 GiB. Raise trainer.accumulate" in told
    assert "more" not in told.partition("Raise")[0]
    assert read_info(tmp_path / "checkpoints" / "last").step == 5


@pytest.mark.parametrize("every", [1, 4, 50])
def test_loss_that_turns_nan_stops_with_everything_kept(
    episodes: EpisodeFile, tmp_path: Path, every: int
) -> None:
    with pytest.raises(TrainingError, match=r"'spoiled' is nan at step 8 .*'joint'") as caught:
        fit(episodes, config(JOINT, read_every=every), tmp_path, fresh("failing_toy"))
    assert read_info(tmp_path / "failure").step == 8
    assert str(tmp_path / "failure") in str(caught.value)
    assert read_info(tmp_path / "checkpoints" / "last").step == 5
    kept = load_state(read_info(tmp_path / "failure"))
    model = load_model(tmp_path / "failure")
    batch = kept["batch"]
    window = Window(batch["frames"], batch["actions"], torch.zeros(8, 3, 0, 0))
    torch.set_rng_state(kept["random"]["cpu"])
    assert torch.isnan(model.loss(window, kept["objective"], 8).total)
    # The same batch, weights and random numbers as in a run that does not fail.
    _, healthy = fit(episodes, config(JOINT, max_steps=20), tmp_path / "healthy")
    torch.set_rng_state(kept["random"]["cpu"])
    repeated = model.train().loss(window, "joint", 0).total
    assert repeated.item() == healthy.steps[8].losses["total"]


@pytest.mark.parametrize(
    ("stages", "accumulate", "step"), [(JOINT, 1, 8), (JOINT, 2, 4), (STAGED, 4, 1)]
)
def test_nan_inside_the_encoder_stops_the_run(
    episodes: EpisodeFile, tmp_path: Path, stages: tuple[Stage, ...], accumulate: int, step: int
) -> None:
    model = fresh("blind_toy")
    settings = config(stages, accumulate=accumulate, checkpoint_every=1)
    with pytest.raises(TrainingError, match=f"is nan at step {step} "):
        fit(episodes, settings, tmp_path, model)
    last = load_model(tmp_path / "checkpoints" / "last")
    assert read_info(tmp_path / "checkpoints" / "last").step == step
    # The step that failed changed nothing.
    assert all(torch.equal(last.state_dict()[k], v) for k, v in model.state_dict().items())
    kept = load_state(read_info(tmp_path / "failure"))
    assert (kept["objective"], kept["others"]) == (stages[0].objective, [])
    assert kept["batch"]["previous"].shape == (8, 2)


def test_model_that_notices_nan_by_itself_is_told_likewise(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="the posterior is nan at step 2 "):
        fit(episodes, config(JOINT), tmp_path, fresh("refusing_toy"))
    assert load_state(read_info(tmp_path / "failure"))["batch"]["frames"].shape[0] == 8


def test_settings_that_an_older_version_did_not_know_have_their_defaults(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    fit(episodes, config(JOINT, max_steps=2), tmp_path)

    def older(config: dict[str, Any]) -> None:
        for name in ("steps", "decay", "target", "keep_optimizer"):
            del config["training"]["stages"][0][name]

    edit_config(tmp_path / "checkpoints" / "last", older)
    outcome, _ = fit(episodes, config(JOINT, max_steps=3), tmp_path)
    assert outcome.step == 3


def test_gradient_that_is_not_finite_is_named(episodes: EpisodeFile, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"gradient of 'dynamics.bias' is not finite at step 0"):
        fit(episodes, config(JOINT), tmp_path, fresh("exploding_toy"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "seed is 1 there and 2 here"),
        ({"stages": STAGED}, "stages.0.fraction is 1.0 there and 0.3 here"),
    ],
)
def test_directory_of_another_run_is_refused(
    episodes: EpisodeFile, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    fit(episodes, config(JOINT, max_steps=2), tmp_path)
    with pytest.raises(CheckpointError, match=message):
        fit(episodes, config(**{"stages": JOINT, **changes}), tmp_path)
    assert read_info(tmp_path / "checkpoints" / "last").step == 2


def test_resume_choices(episodes: EpisodeFile, tmp_path: Path) -> None:
    data = (episodes.split("train"), episodes.split("val"))
    trainer = Trainer(config(JOINT, max_steps=2), tmp_path)
    with pytest.raises(CheckpointError, match=r"no .*last to resume from"):
        trainer.fit(fresh(), *data, resume="required")
    trainer.fit(fresh(), *data, resume="never")
    with pytest.raises(CheckpointError, match="choose another output directory"):
        trainer.fit(fresh(), *data, resume="never")
    longer = Trainer(config(JOINT, max_steps=4), tmp_path)
    assert longer.fit(fresh(), *data, resume="required").step == 4
    with pytest.raises(CheckpointError, match="slot_size is 3 there and 5 here"):
        trainer.fit(build_model(toy.NAME, slot_size=5), *data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp8"}, "unknown precision 'fp8'; .*bf16, bfloat16, float32, fp16, tf32"),
        ({"optimizer": "adan"}, r"unknown optimizer 'adan'; did you mean 'adam'\?"),
        ({"best_metric": "psnr"}, "unknown best_metric 'psnr'"),
        ({"accumulate": 3}, "accumulate=3 must divide every stage's batch_size, got 8"),
        ({"validate_every": 0}, "validate_every must be at least 1"),
        ({"gradient_clip": 0.0}, "gradient_clip must be > 0"),
        ({"validation_rollouts": 0}, "validation_rollouts must be at least 1"),
        ({"max_steps": None}, "set max_steps, max_minutes or both"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(JOINT, **changes)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((replace(JOINT[0], objective="discovery"),), "unknown objective 'discovery'"),
        ((STAGED[0], replace(STAGED[1], length=9)), "windows of 9 frames"),
        ((replace(STAGED[1], fraction=1.0, length=1),), "needs length >= 2"),
    ],
)
def test_stages_that_do_not_fit_are_refused_before_any_work(
    episodes: EpisodeFile, tmp_path: Path, stages: tuple[Stage, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(episodes, config(stages), tmp_path)
    assert list(tmp_path.iterdir()) == []


@register_model("entangled_toy")
class EntangledToy(toy.ToyModel):
    """Its beliefs depend on the dynamics."""

    def observe(self, state: LatentState | None, action: Tensor, frame: Tensor) -> toy.ToyState:
        return toy.ToyState(super().observe(state, action, frame).slots + self.dynamics.bias)


def test_states_that_would_go_stale_are_not_encoded_once(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"'dynamics' trains 'dynamics.bias', which .* once"):
        fit(episodes, config(STAGED), tmp_path, fresh("entangled_toy"))
    assert list(tmp_path.iterdir()) == []


def test_model_that_could_not_be_saved_is_refused(episodes: EpisodeFile, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="construct it with build_model"):
        fit(episodes, config(JOINT), tmp_path, toy.ToyModel())


def test_model_of_another_size_is_refused(episodes: EpisodeFile, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"wants frames of 16 px.*'train'.* has 8 px"):
        fit(episodes, config(JOINT), tmp_path, build_model(toy.NAME, image_size=16))
    with pytest.raises(ValueError, match="precision=fp16 needs a cuda device, got cpu"):
        fit(episodes, config(JOINT, precision="fp16"), tmp_path)
