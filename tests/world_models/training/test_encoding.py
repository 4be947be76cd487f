"""A split is filtered once for all stages that train on its states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.training import encoding
from armillary.world_models.training.encoding import Encoding
from armillary.world_models.training.trainer import Trainer
from tests.world_models.training.runs import STAGED, Recorder, config, fit, fresh

DISCOVER = replace(STAGED[0], fraction=0.2)
LATENT = replace(STAGED[1], fraction=0.2)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The splits that were encoded, in order."""
    told: list[str] = []
    plain = encoding.encode

    def watched(model, split, between):
        told.append(split.name)
        return plain(model, split, between)

    monkeypatch.setattr(encoding, "encode", watched)
    return told


def test_stages_in_a_row_share_what_was_encoded(
    episodes: EpisodeFile, tmp_path: Path, encoded: list[str]
) -> None:
    stages = (DISCOVER, LATENT, replace(LATENT, length=2), replace(LATENT, length=5), LATENT)
    _, record = fit(episodes, config(stages), tmp_path)
    assert record.stages == [0, 1, 2, 3, 4]
    assert encoded == ["train", "val"]


def test_what_was_trained_meanwhile_is_encoded_anew(
    episodes: EpisodeFile, tmp_path: Path, encoded: list[str]
) -> None:
    fit(episodes, config((DISCOVER, LATENT, DISCOVER, LATENT, LATENT)), tmp_path)
    assert encoded == ["train", "val"] * 2


def test_a_resumed_run_encodes_once_and_goes_on_to_the_same_numbers(
    episodes: EpisodeFile, tmp_path: Path, encoded: list[str]
) -> None:
    settings = config((DISCOVER, LATENT, LATENT, LATENT, LATENT))
    _, whole = fit(episodes, settings, tmp_path / "whole")
    _, first = fit(episodes, settings, tmp_path / "parts", stop_at=10)
    del encoded[:]
    _, second = fit(episodes, settings, tmp_path / "parts", fresh(seed=9))
    assert encoded == ["train", "val"]
    joined = first.steps + second.steps
    assert [r.losses for r in joined] == [r.losses for r in whole.steps]


@pytest.mark.parametrize("name", ["encoder.weight", "action_mean"])
def test_states_hold_as_long_as_what_made_them(
    episodes: EpisodeFile, encoded: list[str], name: str
) -> None:
    model, states = fresh(), Encoding(episodes.split("train"))
    first = states.states(model, LATENT)
    model.dynamics.weight.data += 1.0  # trained on the states, so they cannot depend on it
    assert states.states(model, LATENT) is first
    model.get_buffer(name).add_(1) if name == "action_mean" else model.encoder.weight.data.add_(1)
    assert states.states(model, LATENT) is not first
    assert states.states(model, DISCOVER) is None
    assert encoded == ["train"] * 2


def test_stages_that_train_different_parts_share_what_was_encoded(
    episodes: EpisodeFile, encoded: list[str]
) -> None:
    settings = {"image_size": 8, "action_size": 2, "num_slots": 2, "tokens": 4, "content_size": 4}
    settings |= {"content_units": "variance", "readout": [[0, 1]]}
    model, states = build_model("slot_dynamics", **settings), None
    kept, held = (
        Encoding(episodes.split("train"), measured=True),
        Encoding(episodes.split("val"), measured=False),
    )
    for name in ("readout", "dynamics", "readout"):
        found = kept.states(model, replace(LATENT, objective=name))
        scale = model.get_buffer("content_variance").clone()
        held.states(model, replace(LATENT, objective=name))
        assert torch.equal(model.get_buffer("content_variance"), scale)
        assert states is None or found is states
        states = found
        for parameter in model.trainable(name):
            parameter.data.add_(1.0)
    next(iter(model.trainable("discovery"))).data.add_(1.0)
    assert kept.states(model, replace(LATENT, objective="dynamics")) is not states
    assert encoded == ["train", "val", "train"]


def test_encoding_takes_no_time_from_the_stages(
    episodes: EpisodeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [0.0]
    plain: Callable = encoding.encode

    def slow(model, split, between):
        time[0] += 1e6
        return plain(model, split, between)

    monkeypatch.setattr(encoding, "encode", slow)

    class Steps(Recorder):
        def on_step(self, report) -> None:
            super().on_step(report)
            time[0] += 1.0

    record = Steps()
    settings = config((DISCOVER, *[LATENT] * 4), max_steps=None, max_minutes=1.0)
    trainer = Trainer(settings, tmp_path, [record], clock=lambda: time[0])
    outcome = trainer.fit(fresh(), episodes.split("train"), episodes.split("val"))
    assert list(outcome.stage_steps.values()) == pytest.approx([12] * 5, abs=1)
    assert sum(outcome.stage_steps.values()) == outcome.step == len(record.steps)
    assert outcome.seconds == pytest.approx(60, abs=1)


def test_others_are_noticed_while_a_split_is_encoded(
    episodes: EpisodeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "ENCODED_FRAMES", 4 * episodes.split("train").length)
    looks: list[int] = []
    Encoding(episodes.split("train"), lambda: looks.append(1)).states(fresh(), LATENT)
    assert len(looks) == 24 / 4


def test_a_model_is_told_of_the_states_that_it_is_trained_on_alone(
    episodes: EpisodeFile, tmp_path: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(WorldModel, "measure", lambda model, states: told.append(len(states)))
    fit(episodes, config((DISCOVER, *[LATENT] * 4)), tmp_path)
    assert encoded == ["train", "val"]
    assert told == [len(episodes.split("train"))]
