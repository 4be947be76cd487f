"""Curves are what training logged: every validation, and where its stages begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.utils.tensorboard.writer import SummaryWriter

from armillary.experiments.pages.training import training_charts


def test_every_validation_and_the_start_of_every_later_stage_is_read(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as log:
        for step in range(10, 3010, 10):
            log.add_scalar("run/stage", float(step > 1000) + float(step > 2000), step)
        for step in (500, 1500, 2500):
            log.add_scalar("validation/open_loop_psnr", step / 100, step)
            log.add_scalar("validation/copy_psnr", 18.0, step)
    (chart,) = training_charts(tmp_path)
    assert [line.name for line in chart.lines] == ["imagined", "copying"]
    assert chart.lines[0].points == [(500, 5.0), (1500, 15.0), (2500, 25.0)]
    assert [step for step, _ in chart.marks] == [1010, 2010]
    assert chart.note


def test_a_run_that_was_resumed_counts_once(tmp_path: Path) -> None:
    for purge, steps in ((None, (1, 2, 3)), (3, (3, 4))):
        with SummaryWriter(str(tmp_path), purge_step=purge) as log:
            for step in steps:
                log.add_scalar("validation/context_ari", float(step), step)
    (chart,) = training_charts(tmp_path)
    assert chart.lines[0].points == [(step, pytest.approx(step)) for step in (1, 2, 3, 4)]
    assert chart.marks == []


def test_without_a_log_there_are_no_charts(tmp_path: Path) -> None:
    assert training_charts(tmp_path) == []
