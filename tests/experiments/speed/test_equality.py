"""What is captured is compared with what eager computes, and a difference is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from armillary.experiments.speed import equality
from armillary.experiments.speed.cases import Setting
from armillary.experiments.speed.device import Deadline
from armillary.experiments.speed.kinds.training import stages
from armillary.experiments.speed.subjects import by_default
from armillary.world_models import latent
from armillary.world_models.replay.recordings import Tensors
from armillary.world_models.training.steps import update
from tests.world_models.replay.rerun import RerunSteps
from tests.world_models.replay.test_recordings import Rerun


def stale(function: Callable[[], Tensors]) -> Callable[[], Tensors]:
    """Records what was computed first, and tells it again and again."""
    results = function()
    return lambda: results


class Idle(RerunSteps):
    """Replays steps that change nothing."""

    def record(self, function):
        return lambda: (torch.zeros(5),)


def capturing(monkeypatch: pytest.MonkeyPatch, capture: RerunSteps) -> None:
    monkeypatch.setattr(update, "_capturable", lambda config, device: True)
    monkeypatch.setattr(update, "CudaCapture", lambda device: capture)


def test_plans_that_are_replayed_are_those_of_the_model(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Rerun()
    monkeypatch.setattr(latent, "recorder", lambda device: record)
    for name in ("slot_dynamics", "op3", "rssm"):
        check = equality.planned(setting, name, name)
        assert check.passed, check.told
    assert record.replayed > record.recorded > 0


def test_plans_that_are_something_else_are_noticed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latent, "recorder", lambda device: stale)
    assert not equality.planned(setting, "slot_dynamics", "slots").passed


def test_every_model_has_a_check_and_every_stage(setting: Setting) -> None:
    setting = replace(setting, models=("rssm", "sdvae"))
    names = [check.name for check in equality.checks(setting, Deadline())]
    assert names == [
        *("captured equals eager: rssm", "captured equals eager: sdvae"),
        "captured training equals eager: rssm, joint",
        *(f"captured training equals eager: sdvae, {told}" for told in ("D", "U", "BMS", "I")),
    ]
    assert [told for _, told in stages(setting, "sdvae_davos")] == ["U"]
    late = [*equality.checks(setting, Deadline(0.0))]
    assert [check.name for check in late] == names
    assert {(check.passed, check.told) for check in late} == {(False, "no time was left")}


@pytest.mark.parametrize("name", by_default())
def test_training_that_is_replayed_leads_where_eager_does(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    capture = RerunSteps()
    capturing(monkeypatch, capture)
    for stage, told in stages(setting, name):
        check = equality.stepped(setting, name, replace(stage, batch_size=2), told)
        assert check.passed, check.told
        assert check.told.startswith("greatest difference 0 of losses, weights 0 of their way")
    assert capture.replayed > capture.recorded > 0


@pytest.mark.parametrize("capture", [Idle(), RerunSteps(refused=True)])
def test_training_that_does_something_else_or_is_refused_is_noticed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capture: RerunSteps
) -> None:
    capturing(monkeypatch, capture)
    stage, told = stages(setting, "slot_dynamics")[1]
    check = equality.stepped(setting, "slot_dynamics", replace(stage, batch_size=2), told)
    assert not check.passed
    refused = "not a training step of SlotDynamics" in check.told
    assert refused is capture.refused
