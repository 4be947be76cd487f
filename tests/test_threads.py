"""Threads that follow what is free: what the user says, what is recorded, what is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from armillary import processors
from armillary.processors import FALL_AFTER, RISE_AFTER, Meter, Usage
from armillary.threads import SHARED_VALUES, Sizes, Threads
from tests.busy import Busy, four_processors


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    with four_processors():
        yield


def looks(threads: Threads, count: int) -> list[int]:
    seen = []
    for step in range(count):
        threads.look(f"step {step}")
        seen.append(torch.get_num_threads())
    return seen


def test_threads_fall_when_others_come_and_rise_when_they_go() -> None:
    others = Busy()
    threads = others.threads()
    threads.start()
    assert looks(threads, 5) == [4] * 5
    others.others = 3.0
    assert looks(threads, FALL_AFTER + 3)[-3:] == [1] * 3
    others.others = 0.0
    assert looks(threads, RISE_AFTER + 3)[-1] == 4
    threads.stop()
    assert torch.get_num_threads() == 4


def test_between_two_looks_nothing_is_read() -> None:
    threads = Threads(
        meter=lambda: Meter(lambda: Usage(0.0, 0.0, 0.0)), first=lambda n: n, clock=lambda: 1.0
    )
    threads.start()
    assert looks(threads, 3) == [4] * 3


@pytest.mark.parametrize("variable", processors.NUMBER)
def test_a_number_in_the_environment_is_kept(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "3")
    torch.set_num_threads(3)
    threads = Busy(others=4.0).threads()
    threads.start(recorded=1)
    assert looks(threads, 10) == [3] * 10


def test_a_chosen_number_is_kept_and_given_back() -> None:
    threads = Busy(others=4.0).threads(chosen=2)
    threads.start(recorded=1)
    assert looks(threads, 10) == [2] * 10
    threads.stop()
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize(("workers", "told"), [(2, 0), (3, 1)])
def test_a_chosen_number_that_leaves_workers_no_processor_is_told(
    workers: int, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    threads = Threads(chosen=2, workers=workers)
    threads.start()
    assert torch.get_num_threads() == 2
    expected = "2 threads and 3 workers: 5 threads share 4 processors and wait for each other"
    assert caplog.messages == [expected] * told
    threads.stop()


def test_what_torch_was_given_is_the_most() -> None:
    torch.set_num_threads(2)
    threads = Busy().threads()
    threads.start()
    assert looks(threads, 10) == [2] * 10


def test_a_resumed_run_starts_with_its_number() -> None:
    for recorded, number in ((1, 1), (3, 3), (9, 4)):
        threads = Busy().threads()
        threads.start(recorded)
        assert torch.get_num_threads() == number
        threads.stop()


def test_several_processes_share_the_processors() -> None:
    for share, number in ((2, 2), (3, 1), (8, 1)):
        threads = Busy(others=4.0).threads(share=share)
        threads.start()
        assert looks(threads, 10) == [number] * 10
        threads.stop()


def test_workers_are_left_a_processor_each_until_they_are_seen_to_need_less() -> None:
    others = Busy()
    threads = others.threads(workers=3)
    threads.start()
    assert torch.get_num_threads() == 1
    assert looks(threads, RISE_AFTER + 3)[-1] == 4
    others.others = 3.0
    assert looks(threads, FALL_AFTER + 3)[-1] == 1
    threads.stop()
    for share, workers, number in ((2, 1, 1), (None, 9, 1), (None, 1, 3)):
        threads = Busy().threads(share=share, workers=workers)
        threads.start()
        assert torch.get_num_threads() == number
        threads.stop()


def work(threads: Threads, values: int = 2 * SHARED_VALUES) -> int:
    """Does a piece of work, and says how many threads it had."""
    with threads.working():
        torch.zeros(values)
        number = torch.get_num_threads()
    assert torch.get_num_threads() == 4, "torch has its own number between two pieces of work"
    return number


def test_work_that_comes_again_and_again_follows_what_is_free() -> None:
    others = Busy()
    threads = others.threads()
    assert [work(threads) for _ in range(3)] == [4] * 3
    others.others = 3.0
    assert [work(threads) for _ in range(FALL_AFTER + 2)][-1] == 1
    others.others = 0.0
    assert [work(threads) for _ in range(RISE_AFTER + 2)][-1] == 4


def test_work_that_is_too_small_for_two_threads_has_one_from_its_second_time_on() -> None:
    threads = Busy().threads()
    assert [work(threads, SHARED_VALUES - 1) for _ in range(3)] == [4, 1, 1]
    assert [work(Busy().threads(), SHARED_VALUES) for _ in range(2)] == [4, 4]
    assert threads.number == 4


def test_a_number_that_torch_is_given_between_two_pieces_of_work_is_the_most() -> None:
    threads = Busy().threads()
    work(threads)
    torch.set_num_threads(2)
    with threads.working():
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


def test_work_that_fails_gives_the_number_back_and_counts_for_nothing() -> None:
    threads = Busy(others=3.0).threads(chosen=2)
    with pytest.raises(RuntimeError, match="no"), threads.working():
        assert torch.get_num_threads() == 2
        raise RuntimeError("no")
    assert torch.get_num_threads() == 4


def test_sizes_are_those_of_the_largest_result() -> None:
    with Sizes() as sizes:
        torch.zeros(3, 4).sum()
        torch.zeros(5).split(2)
    assert sizes.largest == 12


def test_work_that_was_measured_is_compiled_afterwards() -> None:
    graphs: list[object] = []

    def compiler(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    doubled = torch.compile(lambda x: 2 * x, backend=compiler, dynamic=True)
    threads, counts = Busy().threads(), []
    for _ in range(2):
        with threads.working():
            doubled(torch.zeros(3))
        counts.append(len(graphs))
    assert counts == [0, 1]
