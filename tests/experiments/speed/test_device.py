"""The run for a device: what it needs is told, equality is seen, marked tests are run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from armillary.experiments.command.errors import UsageError
from armillary.experiments.speed import device
from armillary.experiments.speed.cases import Setting
from armillary.world_models import latent
from tests.world_models.replay.test_recordings import Rerun


def test_a_device_is_needed_unless_it_is_tried_out() -> None:
    device.require(torch.device("cpu"), "cpu")
    device.require(torch.device("cuda"), "auto")
    with pytest.raises(UsageError, match=r"needs a CUDA device.*device=cpu"):
        device.require(torch.device("cpu"), "auto")


def test_captured_is_compared_with_eager(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Rerun()
    monkeypatch.setattr(latent, "recorder", lambda device: record)
    checks = [*device.equal(replace(setting, models=("slot_dynamics", "op3")))]
    assert [check.passed for check in checks] == [True, True]
    assert record.replayed > record.recorded > 0


def test_a_capture_that_computes_something_else_is_noticed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(function):
        results = function()
        return lambda: results  # what was computed first, again and again

    monkeypatch.setattr(latent, "recorder", lambda device: stale)
    (check,) = device.equal(replace(setting, models=("slot_dynamics",)))
    assert not check.passed


def test_rows_have_their_targets(setting: Setting) -> None:
    cases = [*device.cases(setting)]
    assert all(case.targets and case.may_fail for case in cases)
    assert {case.group for case in cases} == {"planning", "training"}
    published = [*device.cases(replace(setting, size=replace(setting.size, published=True)))]
    assert len(published) == len(cases) == 13
    assert published[0].targets[0].most == 0.012


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
