"""Work is spread over threads without changing how many torch uses."""

from __future__ import annotations

import threading

import pytest
import torch

from armillary.world_models.metrics.threads import spread


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_torch_keeps_its_threads(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        names = spread(lambda task: (task, threading.get_ident()), list(range(20)))
        assert torch.get_num_threads() == threads
        assert spread(lambda _: torch.get_num_threads(), [0, 1]) == [1, 1]
    finally:
        torch.set_num_threads(before)
    assert [task for task, _ in names] == list(range(20))
    assert len({thread for _, thread in names}) <= threads


def test_what_a_task_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        spread(lambda task: 1 // task, [1, 0, 2])
