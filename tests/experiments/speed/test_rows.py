"""Plain formulations compute what ours do; what a row times is what it says; growth is fitted."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary import processors
from armillary.experiments.evaluation.speed import Measured, Row
from armillary.experiments.speed.cases import Setting
from armillary.experiments.speed.files import COMPRESSED, OURS, REFERENCE, videos
from armillary.experiments.speed.groups import GROUPS, cases_of
from armillary.experiments.speed.kinds import (
    evaluating,
    planning,
    reading,
    scaling,
    searching,
    training,
)
from armillary.experiments.speed.kinds.planning import OUTPUTS, begun, plain_score
from armillary.experiments.speed.subjects import build, build_plain, by_default, imagining
from armillary.experiments.speed.timing import measured
from armillary.planners.optimizer import Bounds
from armillary.world_models.data import EpisodeFile, WindowDataset
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import Window

MODELS = imagining(list(by_default()))


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("name", MODELS)
def test_the_plain_score_is_the_simulators(setting: Setting, name: str, outputs: str) -> None:
    ours, plain = build(name, setting), build_plain(name, setting)
    frames = torch.rand(4, 3, ours.image_size, ours.image_size)
    actions = torch.rand(2, 3, 4, ours.action_size)
    simulator = LatentSimulator(ours, "cpu")
    state, goal = begun(simulator, frames)
    with torch.no_grad():
        expected = simulator.score(state, actions, OUTPUTS[outputs], goal)
        found = plain_score(plain, frames, actions, outputs)()
    of = 1 if outputs == planning.LAST else 4  # the plain loop adds up, the objective averages
    assert_close(found / of, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["op3", "sdvae", "sdvae_davos", "vrnn_star"])
def test_plain_models_have_the_same_loss(setting: Setting, name: str) -> None:
    models = build(name, setting).train(), build_plain(name, setting).train()
    frames, actions = torch.rand(2, 4, 3, 16, 16), torch.rand(2, 3, 4)
    window = Window(frames, actions, torch.zeros(2, 4, 0, 0))
    losses = []
    for model in models:
        torch.manual_seed(1)
        losses.append(model.loss(window, model.objectives[0], 0).total)
    assert_close(*losses, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", searching.SEARCHES)
def test_plain_searches_find_what_ours_find(name: str) -> None:
    ours, plain = searching.SEARCHES[name](64, 20)
    init, bounds = torch.zeros(2, 3, 2), Bounds(-torch.ones(2), torch.ones(2))

    def score(actions: torch.Tensor) -> torch.Tensor:
        return (actions - 0.4).square().sum((-1, -2))

    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    found = score(plain(score, init, generators).unsqueeze(1))
    best = score(ours.optimize(score, init, bounds, generators).actions.unsqueeze(1))
    start = score(init.unsqueeze(1))
    assert bool((found < 0.5 * start).all())
    assert bool((best < 0.5 * start).all())


@pytest.mark.parametrize("layout", [OURS, REFERENCE, COMPRESSED])
def test_files_opened_for_each_window_hold_the_same(setting: Setting, layout: str) -> None:
    path = videos(setting, layout)
    split = EpisodeFile(path).split("train")
    assert (len(split), split.length) == (setting.size.episodes, setting.size.length)
    windows = WindowDataset(split, 10, in_memory=False)
    assert len(windows.batch([0, len(windows) - 1]).frames) == 2
    reading.opened_for_it(path, layout, 0, 1)
    other = EpisodeFile(videos(setting, OURS)).split("train")
    np.testing.assert_array_equal(split.frames(1, 2, 5), other.frames(1, 2, 5))


def test_every_group_has_rows_that_differ(setting: Setting) -> None:
    keys = [case.row.key for case in cases_of(setting, list(GROUPS))]
    assert len(keys) == len(set(keys))
    assert {case.group for case in cases_of(setting, list(GROUPS))} == set(GROUPS)
    named = {case.name for case in cases_of(setting, ["training"])}
    assert named == set(by_default())


def test_a_step_of_the_trainer_is_timed(setting: Setting) -> None:
    row = measured(
        training.step(setting, "slot_dynamics", *training.staged(setting, "dynamics_1")), setting
    )
    assert row.measured is not None
    assert row.measured.ratio is not None
    assert 0.05 < row.measured.ratio < 20
    assert not [path for path in setting.scratch.iterdir() if path.is_dir()]


def test_workers_are_asked_for_their_memory_and_end(setting: Setting) -> None:
    before = multiprocessing.active_children()
    row = measured(reading.loaded(setting, 1, in_memory=True), setting)
    assert row.measured is not None
    if Path("/proc/self/smaps_rollup").exists():
        assert row.measured.megabytes is not None
        assert 1 < row.measured.megabytes < 2000
    assert [p for p in multiprocessing.active_children() if p not in before] == []


def test_waiting_and_evaluating_are_told(setting: Setting) -> None:
    assert "a step waits" in measured(reading.waiting(setting), setting).note
    row = measured(evaluating.videos(setting, "slot_dynamics"), setting)
    assert row.measured is not None
    assert row.measured.rate > 0


def test_growth_is_the_exponent_of_time() -> None:
    def row(by: str, value: int, seconds: float) -> Row:
        settings = {"outputs": "slots", "grows with": by, "value": value}
        numbers = Measured(rate=1 / seconds, seconds=seconds, spread=0.0)
        return Row(group="scaling", name="toy", settings=settings, unit="u", measured=numbers)

    rows = [row("K", k, 0.01 * k**2) for k in (3, 6, 12)]
    rows += [row("S", s, 0.5) for s in (10, 20)] + [row("H", 1, 1.0)]
    found = {one.by: one for one in scaling.growth(rows)}
    assert found["K"].exponent == pytest.approx(2)
    assert found["K"].values == [3, 6, 12]
    assert found["S"].exponent == pytest.approx(0, abs=1e-9)
    assert "H" not in found, "one point says nothing"


def test_captured_says_that_it_changes_nothing_on_a_processor(setting: Setting) -> None:
    row = measured(planning.score(setting, "slot_dynamics", way=planning.CAPTURED), setting)
    assert row.measured is None
    assert row.note == "on a cpu it is eager"


def test_more_threads_and_slots_are_settings_of_a_row(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in processors.NUMBER:
        monkeypatch.delenv(name, raising=False)
    keys = [case.settings for case in planning.cases(replace(setting, threads=77))]
    assert {settings["threads"] for settings in keys} == {1, 77, processors.usable()}
    assert {settings["slots"] for settings in keys} >= {1, 3, 5, 10, 20}


@pytest.mark.parametrize(("name", "many"), [("rssm", True), ("sdvae", True), ("vrnn", False)])
def test_as_many_candidates_as_plans_have_where_steps_decode_nothing(
    setting: Setting, name: str, many: bool
) -> None:
    counts = [
        planning.score(setting, name, outputs=outputs).settings["candidates"]
        for outputs in (planning.SLOTS, planning.ALL)
    ]
    size = setting.size
    assert counts == [size.candidates if many else size.decoded, size.decoded]
