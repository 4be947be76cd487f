"""Curves are what training logged: every validation, and where its stages begin."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from torch.utils.tensorboard.writer import SummaryWriter

from armillary.experiments.command.errors import UsageError
from armillary.experiments.pages.training import training_charts
from tests.experiments.pages.report_runs import page_of, record


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


def test_values_that_are_not_finite_are_left_out_and_told(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as log:
        for step, value in enumerate((20.0, math.nan, 21.0, math.inf)):
            log.add_scalar("validation/open_loop_psnr", value, step)
            log.add_scalar("validation/copy_psnr", math.nan, step)
    (chart,) = training_charts(tmp_path)
    assert [line.points for line in chart.lines] == [[(0, 20.0), (2, 21.0)]]
    assert chart.note == "6 values left out: NaN, infinite or beyond all sense"
    assert chart.drawing


@pytest.mark.parametrize("length", [3, 2**31, 2**62, 2**64 - 1])
def test_a_damaged_log_is_told_and_costs_no_page(tmp_path: Path, length: int) -> None:
    run = record(tmp_path / "run", "train", "interrupted")
    with SummaryWriter(str(run / "tb")) as log:
        log.add_scalar("validation/open_loop_psnr", 20.0, 1)
    (file,) = (run / "tb").iterdir()
    head = struct.pack("<Q", length)
    content = b"\xff\xff\xff"
    sums = (struct.pack("<I", masked_crc32c(part)) for part in (head, content))
    file.write_bytes(file.read_bytes() + head + next(sums) + content + next(sums))
    with pytest.raises(UsageError, match="the TensorBoard log is damaged"):
        training_charts(run / "tb")
    assert "There are no curves." in page_of([run], tmp_path / "page.html")


def test_a_log_that_ends_in_the_middle_of_a_record_is_read(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as log:
        for step in range(3):
            log.add_scalar("validation/open_loop_psnr", 20.0, step)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    (chart,) = training_charts(tmp_path)
    assert len(chart.lines[0].points) == 2
