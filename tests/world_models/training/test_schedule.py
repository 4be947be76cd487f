"""Stages and learning rates as functions of progress."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from armillary.world_models.training.schedule import Schedule, Stage

FIRST = Stage("discover", 0.3, batch_size=4, length=3, learning_rate=1e-3, warmup=0.1, floor=0.01)
SECOND = replace(FIRST, objective="dynamics", fraction=0.7, learning_rate=5e-4)


def test_stages_change_at_cumulative_fractions_of_steps() -> None:
    schedule = Schedule([FIRST, SECOND], max_steps=1000)
    stages = [schedule.stage_at(schedule.progress(step, 0.0)) for step in range(1000)]
    assert stages == [0] * 300 + [1] * 700


@pytest.mark.parametrize("parts", [3, 7, 10])
def test_rounding_does_not_move_boundaries(parts: int) -> None:
    schedule = Schedule([replace(FIRST, fraction=1 / parts)] * parts, max_steps=100 * parts)
    stages = [schedule.stage_at(schedule.progress(step, 0.0)) for step in range(100 * parts)]
    assert stages == [step // 100 for step in range(100 * parts)]


def test_progress_is_the_larger_share_and_never_above_one() -> None:
    schedule = Schedule([replace(FIRST, fraction=1.0)], max_steps=100, max_minutes=2.0)
    assert schedule.progress(10, seconds=60) == 0.5
    assert schedule.progress(80, seconds=60) == 0.8
    assert schedule.progress(80, seconds=500) == 1.0
    by_time = Schedule([replace(FIRST, fraction=1.0)], max_minutes=2.0)
    assert by_time.progress(10**9, seconds=12) == pytest.approx(0.1)


def test_steps_alone_make_time_irrelevant() -> None:
    schedule = Schedule([FIRST, SECOND], max_steps=100)
    assert schedule.progress(25, seconds=0) == schedule.progress(25, seconds=1e9) == 0.25


def test_learning_rate_rises_then_falls_in_each_stage() -> None:
    schedule = Schedule([FIRST, SECOND], max_steps=1000)
    rates = [schedule.learning_rate(step / 1000) for step in range(1000)]
    for start, stop, peak in ((0, 300, 1e-3), (300, 1000, 5e-4)):
        part = rates[start:stop]
        top = part.index(max(part))
        assert part[top] == pytest.approx(peak)
        assert top == pytest.approx(0.1 * len(part), abs=1)
        assert all(a < b for a, b in pairwise(part[: top + 1]))
        assert all(a > b for a, b in pairwise(part[top:]))
        assert part[0] == pytest.approx(peak * 0.01)
        assert part[-1] == pytest.approx(peak * 0.01, rel=0.01)


def test_without_warmup_the_first_step_has_the_peak_rate() -> None:
    schedule = Schedule([replace(FIRST, fraction=1.0, warmup=0.0)], max_steps=10)
    assert schedule.learning_rate(0.0) == pytest.approx(1e-3)


def test_without_decay_the_peak_stays_and_warmup_still_rises() -> None:
    constant = replace(FIRST, fraction=1.0, learning_rate=3e-4, warmup=0.0, decay="none")
    schedule = Schedule([constant], max_steps=7)
    assert {schedule.learning_rate(step / 7) for step in range(7)} == {3e-4}
    rising = Schedule([replace(constant, warmup=0.5)], max_steps=10)
    rates = [rising.learning_rate(step / 10) for step in range(10)]
    assert all(a < b for a, b in pairwise(rates[:6]))
    assert rates[5:] == [3e-4] * 5


def counted(*steps: int) -> list[Stage]:
    return [replace(FIRST, fraction=None, steps=count) for count in steps]


def test_published_curriculum_switches_exactly_at_its_steps() -> None:
    # Lengths 3, 5, 7, 10 up to steps 200k, 250k, 300k, 350k.
    schedule = Schedule(counted(200_000, 50_000, 50_000, 50_000))
    switches = {0: 0, 199_999: 0, 200_000: 1, 249_999: 1, 250_000: 2, 299_999: 2, 300_000: 3}
    for step, stage in {**switches, 349_999: 3}.items():
        assert schedule.stage_at(schedule.position(step, 0.0)) == stage
    assert schedule.progress(349_999, 0.0) < 1
    assert schedule.progress(350_000, 0.0) == 1


def test_bounds_end_counted_stages_earlier_without_moving_them() -> None:
    stages = counted(300, 700)
    whole = Schedule(stages)
    for bounded in (Schedule(stages, max_steps=400), Schedule(stages, max_minutes=1.0)):
        for step in range(0, 400, 7):
            position = bounded.position(step, seconds=step * 0.1)
            assert position == whole.position(step, 0.0)
            assert bounded.stage_at(position) == int(step >= 300)
            assert bounded.learning_rate(position) == whole.learning_rate(position)
    assert Schedule(stages, max_steps=400).progress(400, 0.0) == 1
    assert Schedule(stages, max_minutes=1.0).progress(400, 60.0) == 1
    assert Schedule(stages, max_steps=5000).progress(1000, 0.0) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"length": 0}, "length must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be > 0"),
        ({"fraction": 1.5}, r"fraction must be in \(0, 1\], got 1.5"),
        ({"warmup": 1.0}, r"warmup must be in \[0, 1\)"),
        ({"encode_once": True, "stride": 2}, "stride=1, got 2"),
        ({"fraction": None}, "needs a fraction or steps, got neither"),
        ({"fraction": None, "steps": 0}, "steps must be at least 1"),
        ({"decay": "linear"}, "unknown decay 'linear'; .*cosine, none"),
    ],
)
def test_impossible_stages_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(FIRST, **change)


def test_impossible_schedules_are_refused() -> None:
    with pytest.raises(ValueError, match="set max_steps, max_minutes or both"):
        Schedule([FIRST, SECOND])
    with pytest.raises(ValueError, match=r"sum to 1, got \[0.3, 0.3\]"):
        Schedule([FIRST, FIRST], max_steps=1)
    with pytest.raises(ValueError, match="max_steps must be > 0"):
        Schedule([FIRST, SECOND], max_steps=0)
    with pytest.raises(ValueError, match="got 1 with a fraction and 1 with steps"):
        Schedule([FIRST, *counted(5)], max_steps=10)
    with pytest.raises(ValueError, match="got 2 with a fraction and 1 with steps"):
        Schedule([replace(FIRST, steps=5), SECOND], max_steps=10)


BOTH = [replace(FIRST, steps=30), replace(SECOND, steps=300)]


def stages_of(schedule: Schedule, seconds_a_step: float) -> list[int]:
    """The stage of every step of a run on a machine of some speed."""
    stages: list[int] = []
    while (progress := schedule.progress(len(stages), len(stages) * seconds_a_step)) < 1:
        stages.append(schedule.stage_at(progress))
    return stages


def test_stages_with_steps_and_fractions_end_with_their_steps_on_a_fast_machine() -> None:
    schedule = Schedule(BOTH, max_minutes=10.0)
    assert stages_of(schedule, 0.1) == [0] * 30 + [1] * 300
    rates = [schedule.learning_rate(schedule.progress(step, 0.1 * step)) for step in range(330)]
    alone = Schedule([replace(SECOND, fraction=None, steps=300)])
    assert rates[30:] == pytest.approx([alone.learning_rate(step) for step in range(300)])


def test_on_a_slow_machine_each_stage_still_gets_its_share_of_the_time() -> None:
    stages = stages_of(Schedule(BOTH, max_minutes=10.0), 20.0)
    assert stages == [0] * 9 + [1] * 21


def test_steps_and_fractions_need_no_other_bound_and_take_a_smaller_one() -> None:
    assert stages_of(Schedule(BOTH), 1e9) == [0] * 30 + [1] * 300
    assert stages_of(Schedule(BOTH, max_steps=10), 0.0) == [0] * 3 + [1] * 7
