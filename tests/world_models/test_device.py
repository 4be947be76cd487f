"""Names of devices: what this machine has, and what is said of what it lacks."""

from __future__ import annotations

import pytest
import torch

from armillary.errors import ArmillaryError
from armillary.world_models.device import resolve_device
from armillary.world_models.training.engine import FabricEngine


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as one may ask, this machine has one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


def test_a_device_that_there_is_can_be_named_by_number(one_gpu: None) -> None:
    assert str(resolve_device("cuda:0")) == "cuda:0"
    assert str(resolve_device("auto")) == str(resolve_device("cuda")) == "cuda"


def test_a_number_that_there_is_not_is_told_with_those_that_there_are(one_gpu: None) -> None:
    with pytest.raises(ArmillaryError, match=r"no device 'cuda:3'; it has cuda:0, cpu \(or use"):
        resolve_device("cuda:3")


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("cuda", r"devices=2 needs as many .* has 1\. Give devices=1, or device=cpu"),
        ("cuda:0", "a device each, .* give device=cuda, or devices=1 with device=cuda:0"),
    ],
)
def test_several_processes_need_a_gpu_each(one_gpu: None, device: str, told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        FabricEngine(device, devices=2, nodes=1, strategy="auto")
