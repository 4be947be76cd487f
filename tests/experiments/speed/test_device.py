"""The run for a device: what it needs is told, equality is seen, marked tests are run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from armillary.experiments.command.errors import UsageError
from armillary.experiments.speed import device
from armillary.experiments.speed.cases import Setting
from armillary.experiments.speed.timing import measured


def test_a_device_is_needed_unless_it_is_tried_out() -> None:
    device.require(torch.device("cpu"), "cpu")
    device.require(torch.device("cuda"), "auto")
    with pytest.raises(UsageError, match=r"needs a CUDA device.*device=cpu"):
        device.require(torch.device("cpu"), "auto")


def test_rows_have_their_targets_where_they_are_judged(setting: Setting) -> None:
    toys = [*device.cases(setting)]
    assert all(case.may_fail and not case.targets for case in toys)
    assert all(case.note for case in toys)
    assert {case.note for case in toys} >= {"not judged at this size"}
    published = [*device.cases(replace(setting, size=replace(setting.size, published=True)))]
    assert {case.group for case in published} == {"planning", "training"}
    judged = [case for case in published if case.targets]
    assert len(judged) == 16
    assert len({case.row.key for case in published}) == len(published)
    assert judged[0].targets[0].most == 0.012
    moments = [case.settings["moment"] for case in published if case.name == "act"]
    assert moments == ["first", "later"] * 3
    ways = {(case.settings["precision"], case.settings["way"]) for case in published[-4:]}
    assert ways == {
        *(("float32", "captured"), ("tf32", "captured"), ("bfloat16", "captured")),
        ("float32", "compiled"),
    }


def test_what_was_measured_at_toy_size_is_not_judged(setting: Setting) -> None:
    first = next(device.cases(setting))
    row = measured(first, setting)
    assert row.measured is not None
    assert row.reached == []
    assert "not judged at this size" in row.note


def test_rows_leave_time_for_the_tests() -> None:
    deadline = device.Deadline(100.0)
    assert 60 < deadline.of_rows.left < 75
    assert deadline.part(0.5).left < 51
    assert device.Deadline(0.0).of_rows.left == 0.0


PASSES = "import pytest\n@pytest.mark.cuda\ndef test_it():\n    assert {}\n"


@pytest.mark.parametrize("holds", [True, False])
def test_marked_tests_are_run_and_told(tmp_path: Path, holds: bool) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = cuda\n")
    (tmp_path / "test_it.py").write_text(PASSES.format(holds))
    check = device.marked_tests(device.Deadline(), tmp_path)
    assert check.passed is holds
    assert ("1 passed" if holds else "test_it.py::test_it - assert False") in check.told


def test_without_a_checkout_there_are_no_tests(tmp_path: Path) -> None:
    check = device.marked_tests(device.Deadline(), tmp_path / "none")
    assert check.passed
    assert "no checkout" in check.told


def test_tests_that_take_too_long_fail(tmp_path: Path) -> None:
    slow = "import pytest, time\n@pytest.mark.cuda\ndef test_it():\n    time.sleep(60)\n"
    (tmp_path / "test_it.py").write_text(slow)
    check = device.marked_tests(device.Deadline(0.0), tmp_path)
    assert not check.passed
    assert "not finished" in check.told
