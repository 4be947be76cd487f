"""Rows: timed in turn, counted, compared with what is possible, told where they are not."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import torch

from armillary.experiments.evaluation.speed import Measured, Target
from armillary.experiments.speed import timing
from armillary.experiments.speed.cases import COPY, Case, Setting, Work
from armillary.experiments.speed.timing import clock_of, counted, in_turn, measured

SIDE = 128


def case(work: Work | None, **more: Any) -> Case:
    make = None if work is None else lambda: work
    return Case("group", "name", {"size": SIDE}, "products", 2, make, **more)


def product() -> torch.Tensor:
    return torch.ones(SIDE, SIDE) @ torch.ones(SIDE, SIDE)


def test_a_row_has_its_rate_its_ratio_and_its_share(setting: Setting) -> None:
    work = Work(product, lambda: [product() for _ in range(200)], counted=product)
    row = measured(case(work), setting)
    assert row.measured is not None
    assert row.measured.rate == pytest.approx(2 / row.measured.seconds)
    assert row.measured.ratio is not None
    assert row.measured.ratio > 3
    assert row.measured.gigaflops == pytest.approx(2 * SIDE**3 / 1e9)
    assert row.measured.megabytes == pytest.approx(3 * 4 * SIDE**2 / 1e6)
    assert row.measured.share is not None
    assert row.ceiling == "product, float32"


def test_the_ceiling_is_what_the_machine_can_do_at_every_size(setting: Setting) -> None:
    multiply, operations = timing.product(setting, "float32")
    assert setting.size.least == 0
    assert operations >= 2 * 1024**3, "less is done at a fraction of the speed"
    shares = []
    for _ in range(3):
        row = measured(case(Work(multiply, counted=multiply)), setting)
        assert row.measured is not None
        shares.append(row.measured.share or 0)
    assert 0.3 < sorted(shares)[1] < 2.0, "1 of a product by itself, 3 by one of 128 rows"


def test_ceilings_are_timed_long_enough_at_every_size(setting: Setting) -> None:
    calls: list[str] = []
    functions = {name: lambda name=name: calls.append(name) for name in ("ours", "best")}
    in_turn(functions, setting, steady={"best"})
    assert calls.count("ours") == 2
    assert calls.count("best") == 1 + 1000


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_the_share_of_a_copy_is_that_of_its_bytes(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(timing, "timed", lambda *arguments: 0.5)
    moved = int(share * 2 * setting.size.copied)
    row = measured(case(Work(product, moved=moved), ceiling=COPY), setting)
    assert row.measured is not None
    assert row.measured.share == pytest.approx(share)
    assert row.ceiling == "copy"


def test_everything_is_timed_in_every_round_and_warmed_up(setting: Setting) -> None:
    calls: list[str] = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    rounds = replace(setting, size=replace(setting.size, rounds=3))
    found = in_turn(functions, rounds)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert [len(seconds) for seconds in found.values()] == [3, 3]


def test_a_function_with_a_clock_of_its_own(setting: Setting) -> None:
    assert in_turn({"own": lambda: 7.0}, setting, own_clock={"own"}) == {"own": [7.0]}


def test_backward_is_counted_and_so_is_memory_at_its_peak() -> None:
    weight = torch.ones(SIDE, SIDE, requires_grad=True)

    def step() -> None:
        (torch.ones(SIDE, SIDE) @ weight).sum().backward()

    found = counted(step, torch.device("cpu"))
    assert found.flops == 2 * 2 * SIDE**3
    assert found.bytes >= 2 * 4 * SIDE**2
    assert found.operators >= 5
    assert found.where["mm"] > 0.3
    assert sum(found.where.values()) <= 1.01


def test_what_cannot_be_done_here_is_told(setting: Setting) -> None:
    assert measured(case(None, note="on a cpu it is eager"), setting).measured is None

    def fails() -> None:
        raise RuntimeError("no compiler\nis there")

    told = measured(case(Work(fails), may_fail=True), setting)
    assert told.measured is None
    assert told.note == "cannot be done here: no compiler is there"
    with pytest.raises(RuntimeError, match="no compiler"):
        measured(case(Work(fails)), setting)


def test_targets_are_met_or_not(setting: Setting) -> None:
    found = Measured(rate=100.0, seconds=0.01, spread=0.0)
    assert Target(of="rate", least=100).met(found)
    assert not Target(of="rate", least=101).met(found)
    assert Target(of="seconds", most=0.01).met(found)
    assert not Target(of="seconds", most=0.009).met(found)
    assert not Target(of="ratio", least=1).met(found), "it is not known"
    assert str(Target(of="seconds", most=0.01)) == "seconds at most 0.01"
    row = measured(case(Work(product), targets=(Target(of="seconds", most=60),)), setting)
    assert row.reached == [True]


def test_with_one_thread_others_do_not_count(setting: Setting) -> None:
    assert clock_of(setting, 1) is time.process_time
    assert clock_of(setting, 2) is time.perf_counter
    assert clock_of(setting, 1, alone=False) is time.perf_counter
    assert clock_of(replace(setting, device=torch.device("cuda")), 1) is time.perf_counter
    row = measured(case(Work(lambda: time.sleep(0.05))), setting)
    assert row.measured is not None
    assert row.measured.seconds < 0.04


def test_threads_are_those_of_the_row_and_given_back(setting: Setting) -> None:
    before, seen = torch.get_num_threads(), []
    measured(case(Work(lambda: seen.append(torch.get_num_threads())), threads=2), setting)
    assert set(seen) == {2}
    assert torch.get_num_threads() == before
