"""Training runs learn, stop when asked, and count steps, stages and time."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from armillary.world_models.checkpoints.checkpoint import load_model, read_info, save_checkpoint
from armillary.world_models.checkpoints.locate import CheckpointError
from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import WorldModel
from armillary.world_models.training.engine import Engine
from armillary.world_models.training.steps.batches import stage_batches
from armillary.world_models.training.steps.update import Update
from armillary.world_models.training.survey import scaled, survey
from armillary.world_models.training.trainer import Trainer
from tests.world_models.training.runs import JOINT, STAGED, Recorder, config, fit, fresh


def test_observing_more_often_changes_nothing(episodes: EpisodeFile, tmp_path: Path) -> None:
    _, seldom = fit(episodes, config(STAGED, validate_every=20), tmp_path / "seldom")
    _, often = fit(
        episodes, config(STAGED, validate_every=1, checkpoint_every=1), tmp_path / "often"
    )
    assert [r.losses for r in seldom.steps] == [r.losses for r in often.steps]
    assert [r.step for r in often.validations] == list(range(1, 21))
    assert [r.step for r in seldom.validations] == [20]


@pytest.mark.parametrize("every", [3, 50])
def test_reading_seldom_changes_nothing(episodes: EpisodeFile, tmp_path: Path, every: int) -> None:
    _, always = fit(episodes, config(STAGED), tmp_path / "always")
    settings = config(STAGED, read_every=every, resident=True, checkpoint_every=4)
    interrupted, first = fit(episodes, settings, tmp_path / "seldom", stop_at=11)
    assert interrupted.interrupted
    outcome, second = fit(episodes, settings, tmp_path / "seldom")
    told = [*first.steps, *second.steps]
    assert [r.step for r in told] == list(range(1, 21))
    assert [r.losses for r in told] == [r.losses for r in always.steps]
    assert outcome.stage_steps == {0: 6, 1: 14}


def test_a_model_is_shown_frames_of_the_data_once(episodes: EpisodeFile, tmp_path: Path) -> None:
    shown: list[torch.Tensor] = []

    def surveying() -> WorldModel:
        model = fresh()
        model.surveyed = 7
        model.survey = shown.append  # type: ignore[method-assign]
        return model

    fit(episodes, config(JOINT), tmp_path, surveying(), stop_at=7)
    fit(episodes, config(JOINT), tmp_path, surveying())
    (frames,) = shown
    split = episodes.split("train")
    assert frames.shape == (7, 3, *split.frames(0).shape[1:3])
    assert torch.equal(frames[0], scaled(split.frames(0, 0, 1))[0])
    last = len(split) - 1
    assert torch.equal(frames[-1], scaled(split.frames(last)[-1:])[0])
    model = fresh()
    model.surveyed = 10**9
    model.survey = shown.append  # type: ignore[method-assign]
    survey(model, split)
    assert len(shown[1]) == len(split) * split.length


def test_signal_ends_after_the_step_and_handlers_come_back(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    outcome, record = fit(episodes, config(JOINT), tmp_path, stop_at=7)
    assert (outcome.step, outcome.interrupted, record.ended) == (7, True, True)
    assert read_info(tmp_path / "checkpoints" / "last").step == 7
    assert signal.getsignal(signal.SIGTERM) is before


def test_finished_run_is_left_alone(episodes: EpisodeFile, tmp_path: Path) -> None:
    done, _ = fit(episodes, config(JOINT), tmp_path)
    stamp = os.stat(tmp_path / "checkpoints" / "last" / "config.json").st_mtime_ns
    again, record = fit(episodes, config(JOINT), tmp_path)
    assert (again.step, again.metrics, record.steps) == (20, done.metrics, [])
    assert os.stat(tmp_path / "checkpoints" / "last" / "config.json").st_mtime_ns == stamp


def test_training_learns_and_keeps_the_best(episodes: EpisodeFile, tmp_path: Path) -> None:
    stages = (replace(JOINT[0], batch_size=16, learning_rate=3e-2),)
    outcome, record = fit(episodes, config(stages, max_steps=120, validate_every=40), tmp_path)
    scores = [r.metrics["open_loop_psnr"] for r in record.validations]
    assert scores[-1] > scores[0] + 2
    assert record.steps[-1].losses["total"] < 0.3 * record.steps[0].losses["total"]
    assert outcome.metrics["open_loop_psnr"] == scores[-1]
    best = read_info(tmp_path / "checkpoints" / "best")
    assert best.metrics["open_loop_psnr"] == max(scores)
    assert best.data == {"file": "square"}
    assert best.training["stages"][0]["objective"] == "joint"
    wanted = {"context_psnr", "copy_psnr", "open_loop_ari", "open_loop_psnr/2", "loss/total"}
    assert wanted <= set(outcome.metrics)
    statistics = load_model(tmp_path).action_std
    assert statistics.tolist() == pytest.approx([0.577, 0.577], abs=0.05)


def test_a_run_starts_from_the_weights_of_another(episodes: EpisodeFile, tmp_path: Path) -> None:
    fit(episodes, config(JOINT), tmp_path / "former")
    former = load_model(tmp_path / "former" / "checkpoints" / "last")
    still = (replace(JOINT[0], learning_rate=1e-30),)
    settings = config(still, init_from=str(tmp_path / "former" / "checkpoints" / "last"))
    fit(episodes, settings, tmp_path / "more", stop_at=1)
    begun = load_model(tmp_path / "more" / "checkpoints" / "last")
    assert not changed(former, begun, "discover")
    assert not changed(former, begun, "dynamics")
    assert changed(fresh(), begun, "dynamics")
    assert read_info(tmp_path / "more").training["init_from"] == settings.init_from
    with pytest.raises(CheckpointError, match="another run: init_from"):
        fit(episodes, replace(settings, init_from=None), tmp_path / "more")
    (tmp_path / "former").rename(tmp_path / "gone")  # which a run that is begun needs no more
    respelt = str(tmp_path / "more" / ".." / "former" / "checkpoints" / "last")
    outcome, _ = fit(episodes, replace(settings, init_from=respelt), tmp_path / "more")
    assert outcome.step == 20


def test_a_run_measures_its_own_actions_whatever_it_starts_from(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    other = fresh()
    other.set_action_statistics(torch.full((2,), 5.0), torch.full((2,), 7.0))
    save_checkpoint(tmp_path / "other", other, step=0)
    fit(episodes, config(JOINT, init_from=str(tmp_path / "other")), tmp_path / "run", stop_at=1)
    found = load_model(tmp_path / "run").action_std
    assert found.tolist() == pytest.approx([0.577, 0.577], abs=0.05)


def test_weights_of_another_model_are_no_start(episodes: EpisodeFile, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "wide", fresh(slot_size=9), step=0)
    settings = config(JOINT, init_from=str(tmp_path / "wide"))
    with pytest.raises(CheckpointError, match=r"holds \(.*slot_size=9 instead of 3"):
        fit(episodes, settings, tmp_path / "run")
    weights = tmp_path / "wide" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged"):
        fit(episodes, settings, tmp_path / "run")
    with pytest.raises(CheckpointError, match="is a 'slot_dynamics', and a 'toy' is to"):
        fit(episodes, config(JOINT, init_from="pretrained/push_blocks"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stages_train_their_parameters_only(episodes: EpisodeFile, tmp_path: Path) -> None:
    _, record = fit(episodes, config(STAGED, validate_every=100), tmp_path, stop_at=6)
    assert record.stages == [0]
    start, middle = fresh(), load_model(tmp_path / "checkpoints" / "last")
    assert changed(start, middle, "discover")
    assert not changed(start, middle, "dynamics")
    _, record = fit(episodes, config(STAGED, validate_every=100), tmp_path)
    assert record.stages == [1]
    end = load_model(tmp_path / "checkpoints" / "last")
    assert changed(middle, end, "dynamics")
    assert not changed(middle, end, "discover")


def changed(before: WorldModel, after: WorldModel, objective: str) -> bool:
    pairs = zip(before.trainable(objective), after.trainable(objective), strict=True)
    return any(not torch.equal(old, new) for old, new in pairs)


def test_time_bounded_run_counts_time_across_sessions(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    settings = config(STAGED, max_steps=None, max_minutes=1.0, validate_every=1000)
    ticks = iter(range(0, 10**6, 2))
    trainer = Trainer(settings, tmp_path, [Recorder(stop_at=10)], clock=lambda: next(ticks))
    data = (episodes.split("train"), episodes.split("val"))
    first = trainer.fit(fresh(), *data)
    assert (first.step, first.seconds, first.interrupted) == (10, 20.0, True)
    record = Recorder()
    trainer = Trainer(settings, tmp_path, [record], clock=lambda: next(ticks))
    second = trainer.fit(fresh(), *data)
    assert second.step == 30
    assert not second.interrupted
    assert record.steps[0].progress == pytest.approx(22 / 60)
    assert "open_loop_psnr" in second.metrics


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_accumulating_parts_of_a_batch_gives_the_same_gradient(
    episodes: EpisodeFile, parts: int
) -> None:
    stage = replace(JOINT[0], batch_size=8)
    batch = next(stage_batches(fresh(), episodes.split("train"), stage, seed=0))
    gradients, losses = [], []
    for count in (1, parts):
        model = fresh(noise_scale=0.0)
        settings = config((stage,), accumulate=count, gradient_clip=1e9)
        update = Update(model, stage, settings, Engine("cpu"))
        losses.append(update.told(update.apply(batch, 0, 1e-2).tolist())[0])
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-7)


def test_accumulating_parts_of_a_batch_gives_the_same_run(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    for name, stages in (("frames", JOINT), ("states", STAGED)):
        models = [fresh(noise_scale=0.0) for _ in range(2)]
        whole = fit(episodes, config(stages), tmp_path / name / "whole", models[0])[1]
        settings = config(stages, accumulate=4)
        parts = fit(episodes, settings, tmp_path / name / "parts", models[1])[1]
        for one, other in zip(whole.steps, parts.steps, strict=True):
            assert one.losses == pytest.approx(other.losses, rel=1e-4)
            assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)


def test_bf16_trains_and_workers_change_nothing(episodes: EpisodeFile, tmp_path: Path) -> None:
    _, plain = fit(episodes, config(JOINT, max_steps=4), tmp_path / "plain")
    _, bf16 = fit(episodes, config(JOINT, max_steps=4, precision="bf16"), tmp_path / "bf16")
    _, workers = fit(episodes, config(JOINT, max_steps=4, workers=1), tmp_path / "workers")
    assert [r.losses for r in workers.steps] == [r.losses for r in plain.steps]
    assert bf16.steps[-1].losses["total"] == pytest.approx(
        plain.steps[-1].losses["total"], rel=0.05
    )
    assert bf16.steps[0].losses != plain.steps[0].losses


@pytest.mark.cuda
def test_fp16_trains_on_cuda(episodes: EpisodeFile, tmp_path: Path) -> None:
    runs = [
        fit(episodes, config(JOINT, precision=name, device="cuda"), tmp_path / name)[1]
        for name in ("float32", "fp16")
    ]
    ends = [record.steps[-1].losses["total"] for record in runs]
    assert ends[1] == pytest.approx(ends[0], rel=0.1)
    assert runs[0].steps[0].losses != runs[1].steps[0].losses
