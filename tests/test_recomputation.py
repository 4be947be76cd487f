"""Activations are made again where memory asks for it, or where somebody said so."""

from __future__ import annotations

import pytest
import torch

from armillary import recomputation
from armillary.recomputation import asked_for, recomputing, remade

GIB = 2**30
CUDA = torch.device("cuda", 0)


@pytest.fixture
def device(monkeypatch):
    """A device of 80 GiB, 4 of which others have; says how much this process uses."""

    def using(allocated, reserved=0):
        recomputation._memory.cache_clear()
        free = 76 * GIB - max(allocated, reserved)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80 * GIB))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: max(allocated, reserved))
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated)

    yield using
    recomputation._memory.cache_clear()


def test_a_cpu_makes_them_again_unless_somebody_said_otherwise():
    assert asked_for(torch.device("cpu"), 1)
    with recomputing(False):
        assert not asked_for(torch.device("cpu"), 1)
        with recomputing(True):
            assert asked_for(torch.device("cpu"), 1)
        assert not asked_for(torch.device("cpu"), 1)
    assert asked_for(torch.device("cpu"), 1)


@pytest.mark.parametrize(
    ("used", "size", "again"), [(0, 1, False), (30, 5, False), (30, 7, True), (40, 1, True)]
)
def test_a_device_keeps_them_until_half_of_it_is_in_use(device, used, size, again):
    device(used * GIB)
    assert asked_for(CUDA, size * GIB) is again
    with recomputing(not again):
        assert asked_for(CUDA, size * GIB) is not again


def test_what_torch_holds_and_does_not_use_is_free(device):
    device(10 * GIB, reserved=70 * GIB)
    assert not asked_for(CUDA, GIB)


def test_others_are_asked_for_once_since_a_recording_must_not(device, monkeypatch):
    device(0)
    asked_for(CUDA, 1)

    def recording(device):
        raise AssertionError("a device's memory is asked for while steps are recorded")

    monkeypatch.setattr(torch.cuda, "mem_get_info", recording)
    assert not asked_for(CUDA, 1)


def test_what_is_made_again_is_not_kept():
    kept = []

    def keep(tensor):
        kept.append(tensor.shape)
        return tensor

    given = torch.rand(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = remade(lambda x: x.exp().exp().exp(), given)
    result.sum().backward()
    assert len(kept) <= 1, "what goes in, at most"
    other = given.detach().requires_grad_()
    other.exp().exp().exp().sum().backward()
    assert torch.equal(given.grad, other.grad)
