"""Bytes of tensors that are alive at a time, and of processes."""

from __future__ import annotations

import mmap
import os

import pytest
import torch

from armillary.memory import PeakMemory, share_of


def test_the_peak_is_what_was_alive_at_a_time() -> None:
    with PeakMemory() as memory:
        kept = torch.zeros(1000)
        for _ in range(5):
            torch.ones(2000)
        assert memory.bytes == 4000
    assert memory.peak == 4000 + 8000
    assert len(kept) == 1000


def test_what_a_backward_pass_needs_is_counted() -> None:
    weight = torch.ones(100, 100, requires_grad=True)
    with PeakMemory() as memory:
        weight.exp().exp().sum().backward()
    assert memory.peak >= 3 * 40_000


def test_views_and_what_was_there_are_not_counted() -> None:
    given = torch.zeros(1000)
    with PeakMemory() as memory:
        given[:10].view(2, 5).add_(1)
    assert memory.peak == 0


def test_a_process_says_what_it_takes() -> None:
    taken = share_of(os.getpid())
    if taken is None:
        pytest.skip("this system does not say")
    # pages of its own: a list of bytes may come from memory that was taken before
    with mmap.mmap(-1, 2**25, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(os.urandom(len(held)))
        assert (share_of(os.getpid()) or 0) - taken > 0.9 * len(held)
    assert share_of(2**30) is None
