"""Choosing the device that a name stands for, and the precision in which it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

Network = TypeVar("Network", bound=nn.Module)

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "bfloat16": torch.bfloat16,
    "fp16": torch.float16,
}
"""Names of what networks compute in. ``tf32`` is float32 whose products a CUDA device rounds to 10
bits; ``bf16`` and ``fp16`` are autocast."""


def resolve_device(name: str | torch.device) -> torch.device:
    """The device of a name such as ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``auto`` takes the first of cuda, mps and cpu that this machine has.

    Raises:
        ArmillaryError: the name is no device, or this machine lacks it.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind in present if present[kind]), "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ArmillaryError(
            f"unknown device {name!r}; choose from {', '.join(DEVICES)}"
        ) from error
    there = present.get(device.type, device.type == "cpu")
    if not there or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        here = [f"cuda:{index}" for index in range(torch.cuda.device_count() * present["cuda"])]
        here += [kind for kind in ("mps",) if present[kind]] + ["cpu"]
        raise ArmillaryError(
            f"this machine has no device {str(device)!r}; it has {', '.join(here)} (or use auto)"
        )
    return device


def placed(network: Network, device: torch.device) -> Network:
    """Moves a network to a device, its convolutions laid out as they are fastest there.

    On CUDA that is channels last, whatever the layout of what they are given: cuDNN takes slow
    kernels (FFT for 5 x 5) for planes. The numbers are the same but for the order of sums.
    """
    last = device.type == "cuda"
    layout = torch.channels_last if last else torch.contiguous_format
    return network.to(device, memory_format=layout)  # pyright: ignore[reportCallIssue]


def check_precision(name: str, device: torch.device) -> None:
    """Raises ArmillaryError unless there is such a precision and the device has it."""
    if name not in PRECISIONS:
        raise ArmillaryError(f"unknown precision {name!r}; {suggest(name, PRECISIONS)}")
    if name in ("tf32", "fp16") and device.type != "cuda":
        raise ArmillaryError(
            f"precision={name} needs a cuda device, got {device.type}; choose float32 or bf16"
        )


@contextmanager
def computing_in(name: str, device: torch.device) -> Iterator[None]:
    """A block whose networks compute in a precision that ``check_precision`` accepts."""
    dtype = PRECISIONS[name]
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = before or name == "tf32"
    try:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
